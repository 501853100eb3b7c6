"""A correction: one person's labels for one message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

Label = str | tuple[str, ...]
NO_THEME = "none"  # the label `theme` of a message that belongs to none


@dataclass(frozen=True, kw_only=True)
class CorrectedLabels:
    """What a person judged; a field that is None was not judged, and nothing learns from it."""

    intent: str | None = None
    sentiment: str | None = None
    emotion: str | None = None
    flags: tuple[str, ...] | None = None  # empty: none applies
    priority: str | None = None
    theme: str | None = None  # a theme's id, or NO_THEME

    def given(self) -> Mapping[str, Label]:
        """Return the fields that were judged, in the order of FIELDS."""
        judged = ((name, getattr(self, name)) for name in FIELDS)
        return {name: value for name, value in judged if value is not None}


FIELDS = tuple(field.name for field in fields(CorrectedLabels))


@dataclass(frozen=True, kw_only=True)
class Correction:
    """Rows are only added; of one person's corrections of a message the newest counts."""

    id: int  # counts up in the order in which they were made
    message_id: str
    by: str  # Principal.id, with the reviewer's name where one key serves several
    at: datetime  # aware
    labels: CorrectedLabels
    why: str = ""
    resolves: bool = False  # the decision of a third person where others disagree
