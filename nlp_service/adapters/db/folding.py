"""A thread that keeps the changes of the counts few, so that reading them stays fast."""

from __future__ import annotations

import threading
from functools import partial

import structlog
from sqlalchemy import Connection, literal, select

from nlp_service.adapters.db.counting import fold
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import count_changes
from nlp_service.errors import StorageUnavailable

_log = structlog.get_logger(__name__)
EVERY_SECONDS = 5.0
LIMIT = 5000  # changes in one transaction: tens of milliseconds


class Folding:
    """Several replicas may fold at once: each takes changes that nobody holds."""

    def __init__(self, database: Database, *, every: float = EVERY_SECONDS, limit: int = LIMIT) -> None:
        self._database = database
        self._every = every
        self._limit = limit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="folding", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; a transaction under way is finished first."""
        self._stop.set()
        self._thread.join(10)

    def run(self) -> int:
        """Fold what there is; returns how many changes."""
        total = 0
        while self._database.read(_has_changes):
            folded = self._database.transaction(partial(fold, limit=self._limit))
            total += folded
            if folded < self._limit or self._stop.is_set():
                break
        return total

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.run()
            except StorageUnavailable as exc:
                _log.warning("counts are folded later", reason=str(exc))


def _has_changes(connection: Connection) -> bool:
    return connection.execute(select(literal(1)).select_from(count_changes).limit(1)).first() is not None
