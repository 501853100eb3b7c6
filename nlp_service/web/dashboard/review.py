"""The review queue: one message at a time, what the model thinks of it, and a person's word on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Response
from starlette.datastructures import URL
from starlette.responses import RedirectResponse

from nlp_service.core.access import Principal, Scope, visible
from nlp_service.core.corrections.settle import Settled, agreement, settle, settle_all
from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.core.review.values import QueuedEntry
from nlp_service.errors import NotFound
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.review_keys import NO_FLAGS, keys_of
from nlp_service.web.dashboard.view import View, ViewDep

router = APIRouter(prefix="/ui/review", route_class=PageRoute, dependencies=[Depends(shows(Scope.CORRECT))])

LOADED = 100  # entries that j and k move among
Key = Annotated[str, Form(max_length=200)]


@router.get("")
def page(
    view: ViewDep,
    viewer: ViewerDep,
    message: Annotated[str, Query(max_length=200)] = "",
    done: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the message asked for, else what teaches most; ``done`` names the one that was just saved."""
    review = view.service.review
    waiting = _waiting(view, viewer)
    common: dict[str, Any] = {
        "saved": _settled(view, viewer, done) if done else None,
        "agreement": agreement(list(settle_all(review.corrections.contested()).values())),
        "waiting": len(waiting),
    }
    if not waiting:
        return view.page("review_empty.html", **common)
    place = next((index for index, queued in enumerate(waiting) if queued.entry.message_id == message), 0)
    entry = waiting[place].entry
    taxonomy = view.service.model.taxonomy
    settled = _settled(view, viewer, entry.message_id)
    return view.page(
        "review.html",
        entry=entry,
        stored=view.service.messages.get(entry.message_id),
        place=place + 1,
        before=waiting[place - 1].entry.message_id if place else None,
        after=waiting[place + 1].entry.message_id if place + 1 < len(waiting) else None,
        settled=settled,
        resolves=settled is not None and bool(settled.disputed),
        voices=review.corrections.of([entry.message_id]).get(entry.message_id, ()),
        taxonomy=taxonomy,
        keys=keys_of(taxonomy),
        groups=_groups(view),
        no_flags=NO_FLAGS,
        **common,
    )


@router.post("")
def save(
    view: ViewDep,
    viewer: ViewerDep,
    message: Annotated[str, Form(min_length=1, max_length=200)],
    intent: Key = "",
    sentiment: Key = "",
    emotion: Key = "",
    priority: Key = "",
    theme: Key = "",
    flags: Annotated[list[str], Form(max_length=50)] = [],  # noqa: B006  # FastAPI copies it
    why: Annotated[str, Form(max_length=2000)] = "",
    resolves: Annotated[bool, Form()] = False,
) -> Response:
    """Keep what the viewer judged and go on to the next message."""
    ids = [queued.entry.message_id for queued in _waiting(view, viewer)]
    following = ids[ids.index(message) + 1 :][:1] if message in ids else []
    labels = CorrectedLabels(
        intent=intent or None,
        sentiment=sentiment or None,
        emotion=emotion or None,
        priority=priority or None,
        theme=theme or None,
        flags=tuple(flag for flag in flags if flag != NO_FLAGS) if flags else None,
    )
    view.service.review.correct(
        message, labels, by=viewer.id, why=why.strip(), resolves=resolves, departments=visible(viewer)
    )
    target = URL("/ui/review").include_query_params(done=message, **({"message": following[0]} if following else {}))
    return RedirectResponse(str(target), status_code=303)


@router.post("/fill")
def fill(view: ViewDep) -> Response:
    """Put the queue together now."""
    view.service.review.fill()
    return RedirectResponse("/ui/review", status_code=303)


def _waiting(view: View, viewer: Principal) -> Sequence[QueuedEntry]:
    return view.service.review.queue.entries(departments=visible(viewer), not_by=viewer.id, limit=LOADED)


def _settled(view: View, viewer: Principal, message_id: str) -> Settled | None:
    """Return what people said of a message that the viewer may see, None where nobody did."""
    try:
        view.service.review.correct.visible(message_id, visible(viewer))
    except NotFound:
        return None
    made = view.service.review.corrections.of([message_id]).get(message_id)
    return settle(made) if made else None


def _groups(view: View) -> list[tuple[str, list[str]]]:
    """Return the intents by group, in the order of the taxonomy."""
    taxonomy = view.service.model.taxonomy
    return [
        (group, [intent.id for intent in taxonomy.intents.values() if intent.group == group])
        for group in taxonomy.groups
    ]
