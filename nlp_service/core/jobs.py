"""Long work as a value: its state, how far it is, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

QUEUED = "queued"
RUNNING = "running"
CANCELLING = "cancelling"  # asked to stop; its runner has not yet
DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"
FINISHED = (DONE, FAILED, CANCELLED)
MAX_ATTEMPTS = 5  # runs that ended without a word (a crash), after which a job is given up


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    done: int = 0
    total: int | None = None  # None: not known
    unit: str = "rows"
    note: str = ""

    def as_data(self) -> dict[str, Any]:
        return {"done": self.done, "total": self.total, "unit": self.unit, "note": self.note}


@dataclass(frozen=True, kw_only=True)
class Job:
    id: str
    kind: str  # relabel, mine, train
    state: str
    params: Mapping[str, Any]
    progress: JobProgress
    result: Mapping[str, Any] | None
    error: str | None  # why it failed, with the remedy
    created_at: datetime
    created_by: str
    started_at: datetime | None
    finished_at: datetime | None
    attempts: int
