"""Corrections: people's labels, and which messages wait for them."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, Field

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, visible
from nlp_service.core.corrections.precision import precision
from nlp_service.core.corrections.settle import agreement, settle_all
from nlp_service.core.review.sample import most_drawn, random_sample
from nlp_service.core.stored import Window
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.corrections import (
    AgreementOut,
    CorrectionIn,
    CorrectionOut,
    EntryOut,
    LabelPrecisionOut,
    PrecisionOut,
    QueueOut,
    SettledOut,
    reviewer_of,
)

router = APIRouter(tags=["corrections"])
_CORRECT = [Depends(needs(Scope.CORRECT))]


class FilledOut(BaseModel):
    entries: int = Field(description="Messages that wait now.")


@router.post(
    "/corrections",
    status_code=201,
    summary="A person's labels for a message",
    dependencies=_CORRECT,
    responses={
        404: {"model": Problem, "description": "No such message, or none that this key may see."},
        409: {"model": Problem, "description": "Nothing to resolve, or the person is one of those who disagree."},
    },
)
def correct(body: CorrectionIn, service: ServiceDep, principal: PrincipalDep) -> SettledOut:
    """Store what a person says; several may label one message, and disagreement is kept until a third decides."""
    made, settled = service.review.correct(
        body.message_id,
        body.labels.labels(),
        by=reviewer_of(principal.id, body.reviewer),
        why=body.why,
        resolves=body.resolves,
        departments=visible(principal),
    )
    return SettledOut.of(made, settled)


@router.get("/corrections", summary="Corrections, newest first", dependencies=_CORRECT)
def corrections(
    service: ServiceDep,
    principal: PrincipalDep,
    message_id: Annotated[str | None, Query(max_length=200, description="Only of this message.")] = None,
    by: Annotated[str | None, Query(max_length=200, description="Only of this person.")] = None,
    before: Annotated[int | None, Query(ge=1, description="Id that the page before ended with.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most this many.")] = 100,
) -> list[CorrectionOut]:
    """Return what people said; a key of some departments sees corrections of their messages alone."""
    found = service.review.corrections.page(
        message_id=message_id, by=by, departments=visible(principal), before=before, limit=limit
    )
    return [CorrectionOut.of(made) for made in found]


@router.get("/review-queue", summary="Messages that a person should look at", dependencies=_CORRECT)
def queue(
    service: ServiceDep,
    principal: PrincipalDep,
    department: Annotated[str | None, Query(max_length=200, description="Only messages routed to it.")] = None,
    reviewer: Annotated[
        str | None, Query(max_length=100, description="Who asks, where one key serves several.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="At most this many.")] = 20,
) -> QueueOut:
    """Return what teaches most first, each with its reasons and the model's guess, without what the caller labelled."""
    waiting = service.review.queue.entries(
        departments=visible(principal, department), not_by=reviewer_of(principal.id, reviewer), limit=limit
    )
    stored = [(queued, service.messages.get(queued.entry.message_id)) for queued in waiting]
    contested = settle_all(service.review.corrections.contested())
    return QueueOut(
        filled_at=waiting[0].filled_at if waiting else service.review.queue.filled_at(),
        entries=[EntryOut.of(queued, message) for queued, message in stored if message.labellings],
        agreement=AgreementOut.of(agreement(list(contested.values()))),
    )


@router.post("/review-queue/fill", summary="Put the review queue together now", dependencies=_CORRECT)
def fill(service: ServiceDep) -> FilledOut:
    """Read the newest messages again and order them; this happens by itself every few minutes."""
    return FilledOut(entries=service.review.fill())


@router.get("/models/{version}/precision", summary="Live precision by label", dependencies=[Depends(needs(Scope.READ))])
def live_precision(
    service: ServiceDep,
    version: Annotated[str, Path(description="Model version.", examples=["1.0.0"])],
    days: Annotated[int, Query(ge=1, le=366, description="Days of messages to look at.")] = 28,
) -> PrecisionOut:
    """Say how often a model's labels are right, by what people said of its messages."""
    at = now()
    window = Window(start=at - timedelta(days=days), end=at + timedelta(minutes=1))
    judgements = service.review.corrections.judgements(window, version=version)
    texts = {judgement.text_hash for judgement in judgements}
    first = service.review.corrections.first_texts(window, limit=most_drawn(len(texts)))
    sample = random_sample(first, texts)
    return PrecisionOut(
        version=version,
        days=days,
        sample=sum(judgement.text_hash in sample for judgement in judgements),
        measured=[LabelPrecisionOut.of(found) for found in precision(judgements, texts=sample)],
        corrected=[LabelPrecisionOut.of(found) for found in precision(judgements)],
    )
