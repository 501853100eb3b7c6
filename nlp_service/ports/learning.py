"""The seams of learning on: trials, drift, and labels that people changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from nlp_service.contract.corpus import Record
from nlp_service.core.drift import DriftWeek, Observed
from nlp_service.core.label_moves import LabelMove
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.provisional import ProvisionalIntent
from nlp_service.core.stored import Window
from nlp_service.core.trial.values import Cost


class BundleLabeller(Protocol):
    """The service's own labelling with one bundle, apart from the model that serves."""

    def label(self, records: Sequence[Record]) -> tuple[Sequence[Mapping[str, Any]], Cost]:
        """Return one answer per record, in order, as `nlp-service classify` writes it, and what that cost.

        Raises:
            JobError: the bundle cannot label them.
        """
        ...


class DriftStore(Protocol):
    """Weeks of drift."""

    def observe(self, window: Window, model: ModelIdentity) -> Observed:
        """Measure a week of a model's stored labellings."""
        ...

    def weeks(self, model: ModelIdentity, *, limit: int) -> tuple[Observed, ...]:
        """Return the newest kept weeks, oldest first."""
        ...

    def keep(self, observed: Observed, model: ModelIdentity, *, at: datetime) -> None:
        """Store a week, over what was measured of it before."""
        ...

    def alert(self, model: ModelIdentity, week: DriftWeek, *, reason: str, at: datetime) -> bool:
        """Raise a week's alert once; False where it was raised already."""
        ...


class IntentStore(Protocol):
    """Labels that people changed."""

    def revision(self) -> object:
        """Return something that differs whenever an intent was added, removed or moved."""
        ...

    def provisional(self) -> tuple[ProvisionalIntent, ...]: ...
    def add(self, intent: ProvisionalIntent) -> None:
        """Store an intent; raises Conflict where the id is taken."""
        ...

    def remove(self, intent_id: str, *, by: str, at: datetime) -> None:
        """Remove a provisional intent; raises NotFound."""
        ...

    def moves(self) -> tuple[LabelMove, ...]:
        """Return renames and merges in the order in which they apply."""
        ...

    def move(self, move: LabelMove) -> int:
        """Keep a move and apply it to what is stored; returns how many labellings it concerns."""
        ...
