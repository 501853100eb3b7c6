"""The seams of corrections and of the review queue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from nlp_service.core.corrections.values import Correction
from nlp_service.core.review.values import ReviewEntry
from nlp_service.core.stored import Window


class CorrectionStore(Protocol):
    """People's labels; only added."""

    def add(
        self, made: Correction, *, check: Callable[[Sequence[Correction], Correction], None] | None = None
    ) -> tuple[Correction, ...]:
        """Store one unless ``check`` refuses it; returns all of its message, oldest first. Raises NotFound."""
        ...

    def contested(self) -> tuple[Correction, ...]:
        """Return the corrections of every message that two or more people labelled."""
        ...

    def everything(self) -> Iterator[tuple[Correction, ...]]:
        """Stream the corrections of all messages, those of one message together."""
        ...

    def made_in(self, window: Window) -> tuple[Correction, ...]:
        """Return the corrections of messages that occurred in a window, oldest first."""
        ...


class ReviewStore(Protocol):
    """The review queue."""

    def fill(self, entries: Sequence[ReviewEntry], *, at: datetime) -> int:
        """Put these entries in place of the ones before; returns how many."""
        ...

    def sample(self, window: Window, *, limit: int) -> tuple[tuple[str, str], ...]:
        """Return (message, department) of texts that nobody has judged, in random order."""
        ...

    def departments(self, message_ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Return (message, department) by the newest labelling of each."""
        ...
