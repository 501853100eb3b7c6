"""A policy as it was saved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class SavedPolicy:
    version: int  # counts up; the greatest is in force
    text: str  # YAML
    saved_by: str  # Principal.id
    saved_at: datetime
