"""A thread that carries out the retention rules every few hours while the service runs."""

from __future__ import annotations

import threading

import structlog

from nlp_service.adapters.db.retention import Retention
from nlp_service.core.retention import RetentionRules
from nlp_service.errors import StorageUnavailable

_log = structlog.get_logger(__name__)
FIRST_SECONDS = 60.0  # after the start, when the first requests have been served
EVERY_SECONDS = 6 * 3600.0


class Housekeeping:
    """Several replicas may run it at once: what one has removed the other does not find."""

    def __init__(
        self,
        retention: Retention,
        rules: RetentionRules,
        *,
        first: float = FIRST_SECONDS,
        every: float = EVERY_SECONDS,
    ) -> None:
        self._retention = retention
        self._rules = rules
        self._first = first
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; a transaction under way is finished first."""
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        wait = self._first
        while not self._stop.wait(wait):
            wait = self._every
            try:
                removed = self._retention.run(self._rules)
            except StorageUnavailable as exc:
                _log.warning("retention postponed", reason=str(exc))
            else:
                _log.info("retention carried out", **removed)
