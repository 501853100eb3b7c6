"""A thread that does one thing now and then while the service runs."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from nlp_service.errors import NlpServiceError

_log = structlog.get_logger(__name__)


class Periodic:
    """Calls ``work`` after ``first`` seconds and then every ``every``; an expected error postpones it to next time."""

    def __init__(self, name: str, work: Callable[[], object], *, first: float, every: float) -> None:
        self._work = work
        self._first = first
        self._every = every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; work under way is finished first, for some seconds."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def _run(self) -> None:
        wait = self._first
        while not self._stop.wait(wait):
            wait = self._every
            try:
                self._work()
            except NlpServiceError as exc:
                _log.warning("periodic work postponed", work=self._thread.name, reason=str(exc))
            except Exception:
                _log.exception("periodic work failed", work=self._thread.name)
