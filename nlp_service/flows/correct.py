"""Take a person's labels for a message, and keep the queue of messages that wait for one."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.corrections.check import check_labels
from nlp_service.core.corrections.settle import Settled, may_resolve, settle, settle_all
from nlp_service.core.corrections.values import NO_THEME, CorrectedLabels, Correction
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.review.order import Known, order
from nlp_service.core.stored import LabelledPage, StoredMessage, Window
from nlp_service.errors import NotFound
from nlp_service.ports import MessageStore
from nlp_service.ports.review import CorrectionStore, ReviewStore

RECENT = timedelta(days=7)  # messages that may enter the queue
PAST = timedelta(days=28)  # before them: what they are compared with
MOST_RECENT = 3000  # of each, the newest; all pairs are compared
MOST_PAST = 2000
QUEUE = 200
SAMPLE = 60
SECOND_OPINIONS = 0.1  # share of the corrected messages that another person is asked about
MOST_SECOND = 20


@dataclass(frozen=True, kw_only=True)
class Correct:
    """One correction."""

    messages: MessageStore
    corrections: CorrectionStore
    taxonomy: Callable[[], Taxonomy]
    find_theme: Callable[[str], object]  # raises NotFound
    mask: Callable[[str], str]  # hides personal data in what people write
    now: Callable[[], datetime]

    def __call__(
        self,
        message_id: str,
        labels: CorrectedLabels,
        *,
        by: str,
        why: str = "",
        resolves: bool = False,
        departments: Collection[str] | None = None,
    ) -> tuple[Correction, Settled]:
        """Store a correction; returns it and what now counts for its message.

        Args:
            message_id: of a stored message.
            labels: those that the person judged.
            by: who, as the audit log names them.
            why: in the person's words.
            resolves: the decision of a third person where others disagree.
            departments: those whose messages the person may see; None for all.

        Raises:
            NotFound: no such message, or one of another department; no such theme.
            InvalidMessage: a label that the taxonomy does not have.
            Conflict: there is nothing to resolve, or the person is one of those who disagree.
        """
        check_labels(labels, self.taxonomy())
        self.visible(message_id, departments)
        if labels.theme not in (None, NO_THEME):
            self.find_theme(str(labels.theme))
        made = Correction(
            id=0,
            message_id=message_id,
            by=by,
            at=self.now(),
            labels=labels,
            why=self.mask(why),
            resolves=resolves,
        )
        after = self.corrections.add(made, check=may_resolve if resolves else None)
        return after[-1], settle(after)

    def visible(self, message_id: str, departments: Collection[str] | None) -> StoredMessage:
        """Return a message that somebody may see; raises NotFound for another."""
        stored = self.messages.get(message_id)
        if departments is not None and stored.labellings[0].route.department not in departments:
            raise NotFound(f"no message {message_id!r} is stored")
        return stored


@dataclass(frozen=True, kw_only=True)
class FillQueue:
    """Fills the review queue anew from what is stored."""

    messages: MessageStore
    corrections: CorrectionStore
    queue: ReviewStore
    model: Callable[[], ModelIdentity]  # the one that answers now
    now: Callable[[], datetime]

    def __call__(self) -> int:
        """Return how many entries the queue has now."""
        at = self.now()
        recent = Window(start=at - RECENT, end=at + timedelta(minutes=1))
        known = self._known(recent)
        pages = self._read(recent)
        messages = [message for page in pages for message in page.messages]
        embeddings = np.concatenate([page.embeddings for page in pages]) if pages else np.zeros((0, 1), np.float32)
        is_recent = np.array([message.occurred_at >= recent.start for message in messages], dtype=np.bool_)
        entries = order(messages, embeddings, recent=is_recent, known=known, limit=QUEUE)
        return self.queue.fill(entries, at=at)

    def _read(self, recent: Window) -> list[LabelledPage]:
        """Return the newest messages of one model: the one that answers, else the one that labelled most lately."""
        past = Window(start=recent.start - PAST, end=recent.start)
        counted = self.messages.models(recent)
        model = self.model()
        if model not in counted and counted:
            model = max(counted, key=lambda identity: (counted[identity], identity.version))
        pages = (
            self.messages.newest(recent, model=model, limit=MOST_RECENT),
            self.messages.newest(past, model=model, limit=MOST_PAST),
        )
        return [page for page in pages if page is not None]

    def _known(self, recent: Window) -> Known:
        everything = settle_all([made for own in self.corrections.everything() for made in own])
        disputed = [key for key, own in everything.items() if own.disputed]
        single = [key for key, own in everything.items() if len(own.people) == 1 and _asked_again(key)]
        intents = {key: own.labels.intent for key, own in everything.items()}
        judged = {key: intent for key, intent in intents.items() if intent is not None}
        return Known(
            intents=judged,
            taught=Counter(judged.values()),
            disputed=self.queue.departments(disputed[:QUEUE]),
            second=self.queue.departments(single[-MOST_SECOND:]),
            sample=self.queue.sample(recent, limit=SAMPLE),
        )


def _asked_again(message_id: str) -> bool:
    """Draw the messages for a second opinion by their id, the same ones every time."""
    number = int.from_bytes(hashlib.blake2b(message_id.encode("utf-8", "replace"), digest_size=4).digest(), "big")
    return number < SECOND_OPINIONS * 2**32
