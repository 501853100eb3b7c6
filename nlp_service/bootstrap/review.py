"""Corrections and the review queue put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nlp_service.adapters.db.corrections import Corrections
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.review import ReviewQueue
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.recurring import Recurring
from nlp_service.bootstrap.parts import mask_text, now
from nlp_service.flows.correct import Correct, FillQueue
from nlp_service.ports import MessageStore, Model
from nlp_service.settings import Settings

FIRST_SECONDS = 30.0  # after the start, when the first requests have been served


@dataclass(frozen=True, kw_only=True)
class Review:
    """What routes, pages and commands use."""

    corrections: Corrections
    queue: ReviewQueue
    correct: Correct
    fill: FillQueue


def open_review(database: Database, messages: MessageStore, model: Callable[[], Model]) -> Review:
    """Put it together; ``model`` is the one that answers at the moment."""
    corrections, queue = Corrections(database), ReviewQueue(database)
    correct = Correct(
        messages=messages,
        corrections=corrections,
        taxonomy=lambda: model().taxonomy,
        find_theme=Themes(database).get,
        mask=mask_text,
        now=now,
    )
    fill = FillQueue(
        messages=messages, corrections=corrections, queue=queue, model=lambda: model().identity, now=now
    )  # fmt: skip
    return Review(corrections=corrections, queue=queue, correct=correct, fill=fill)


@contextmanager
def serve_review(
    settings: Settings, database: Database, messages: MessageStore, model: Callable[[], Model]
) -> Iterator[Review]:
    """Keep the queue filled meanwhile."""
    review = open_review(database, messages, model)
    every = settings.review_queue_seconds
    recurring = Recurring("fill-review-queue", review.fill, first=min(every, FIRST_SECONDS), every=every)
    recurring.start()
    try:
        yield review
    finally:
        recurring.close()
