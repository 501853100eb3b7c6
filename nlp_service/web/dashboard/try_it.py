"""Try it: one message, everything that the service says of it, and the words that carried it. Nothing is stored."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Response

from nlp_service.core.access import Scope
from nlp_service.core.explain import Carrier
from nlp_service.core.messages import Message
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import ViewDep
from nlp_service.web.own_themes import labellings_seen

router = APIRouter(prefix="/ui/try", route_class=PageRoute, dependencies=[Depends(shows(Scope.CLASSIFY))])

HEADS = ("intent", "sentiment", "emotion")
MOST_TEXT = 8000  # characters; each word is left out in turn, so that a long text would take long


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A piece of the text and how strongly it carried the label."""

    text: str
    strength: int  # 0 none to 4 the strongest
    against: bool  # it spoke against the label
    weight: float


@router.get("")
def form(view: ViewDep, text: str = "") -> Response:
    return view.page("try.html", text=text[:MOST_TEXT])


@router.post("")
async def label(
    view: ViewDep,
    viewer: ViewerDep,
    text: Annotated[str, Form(max_length=MOST_TEXT)] = "",
    before: Annotated[str, Form(max_length=2000)] = "",
    amount: Annotated[str, Form(max_length=20)] = "",
    tier: Annotated[str, Form(max_length=40)] = "",
) -> Response:
    """Label a message as POST /classify would, without keeping it."""
    if not text.strip():
        return view.part("problem_part.html", status=422, detail=view.t("try.empty"), code=422)
    message = Message(
        id=f"try-{uuid.uuid4().hex[:8]}",
        text=text,
        context=(before.strip(),) if before.strip() else (),
        amount=_number(amount),
        customer_tier=tier.strip() or None,
    )
    classified = await replace(view.service.classify, store=None)([message])
    [found] = await asyncio.to_thread(labellings_seen, view.service, viewer, classified.labellings)
    explained = await view.service.explain(message)
    return view.part(
        "try_result.html",
        found=found,
        taxonomy=classified.taxonomy,
        milliseconds=sum(classified.stages.values()) * 1000,
        heads=[(head, pieces(explained.text, getattr(explained.explanation, head))) for head in HEADS],
        nearest=explained.nearest,
    )


def pieces(text: str, carriers: tuple[Carrier, ...]) -> list[Piece]:
    """Cut a text at its carriers; strengths are relative to the heaviest of them."""
    heaviest = max((abs(carrier.weight) for carrier in carriers), default=0.0)
    found: list[Piece] = []
    at = 0
    for carrier in sorted(carriers, key=lambda item: item.start):
        if carrier.start > at:
            found.append(Piece(text=text[at : carrier.start], strength=0, against=False, weight=0.0))
        strength = max(1, round(4 * abs(carrier.weight) / heaviest))
        against = carrier.weight < 0
        found.append(Piece(text=carrier.text, strength=strength, against=against, weight=carrier.weight))
        at = carrier.end
    if at < len(text):
        found.append(Piece(text=text[at:], strength=0, against=False, weight=0.0))
    return found


def _number(given: str) -> float | None:
    try:
        return float(given)
    except ValueError:
        return None
