"""Watch the accepted pointer and swap the model of a running service after it is warm."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from nlp_service.adapters.registry import Registry
from nlp_service.errors import NlpServiceError

_log = structlog.get_logger(__name__)


class Watcher:
    """Calls ``swap`` in a thread of its own when the pointer moved; a bundle that does not load changes nothing."""

    def __init__(self, registry: Registry, swap: Callable[[], None], *, seconds: float) -> None:
        self._registry = registry
        self._swap = swap
        self._seconds = seconds
        self._seen = registry.state()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch-models", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Stop looking; a swap under way is finished first."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(self._seconds):
            state = self._registry.state()
            if state == self._seen:
                continue
            self._seen = state
            try:
                self._swap()
            except NlpServiceError as exc:
                _log.error("model_swap_refused", detail=str(exc), kept="the model that answers now")
            except Exception:
                _log.exception("model_swap_failed", kept="the model that answers now")
