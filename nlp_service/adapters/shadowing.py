"""A candidate that labels a share of live messages in a thread of its own; nobody waits for it and nothing is sent."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from nlp_service.adapters.db.shadows import Shadows
from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Labelling
from nlp_service.core.messages import Message
from nlp_service.core.shadow import Shadow, opinion, sees
from nlp_service.errors import NlpServiceError

_log = structlog.get_logger(__name__)
WAITING = 2000  # messages that may wait; more are passed over, the answers to customers come first
TOGETHER = 32  # labelled in one pass
EVERY = 2.0  # seconds between looks at what is to run

Label = Callable[[Sequence[Message], Sequence[CustomerHistory]], list[Labelling]]
Seen = tuple[Message, Labelling, CustomerHistory]


class Shadowing:
    """``see`` is called with every answer that was stored; ``load`` opens a version and returns its labelling."""

    def __init__(self, store: Shadows, *, load: Callable[[str], Label], now: Callable[[], datetime]) -> None:
        self._store = store
        self._load = load
        self._now = now
        self._running: tuple[Shadow, Label] | None = None
        self._waiting: queue.Queue[Seen] = queue.Queue(WAITING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def see(
        self, messages: Sequence[Message], labellings: Sequence[Labelling], histories: Sequence[CustomerHistory]
    ) -> None:
        """Take the messages of the share; never blocks and never raises."""
        running = self._running
        if running is None:
            return
        for seen in zip(messages, labellings, histories, strict=True):
            if sees(seen[0].id, running[0].share):
                try:
                    self._waiting.put_nowait(seen)
                except queue.Full:
                    return

    def refresh(self) -> None:
        """Look what is to run; load it where it is another one."""
        wanted = self._store.running()
        if wanted is None:
            self._running = None
        elif self._running is None or self._running[0] != wanted:
            self._running = (wanted, self._load(wanted.version))

    def _run(self) -> None:
        looked = float("-inf")
        while not self._stop.is_set():
            try:
                if time.monotonic() - looked >= EVERY:
                    looked = time.monotonic()
                    self.refresh()
                self._work()
            except NlpServiceError as exc:
                _log.warning("shadow stands still", reason=str(exc))
                self._stop.wait(EVERY)
            except Exception:
                _log.exception("shadow failed")
                self._stop.wait(EVERY)

    def _work(self) -> None:
        """Label what waits."""
        batch = self._take()
        running = self._running
        if not batch or running is None:
            return
        shadow, label = running
        said = label([message for message, _, _ in batch], [history for _, _, history in batch])
        answers = [
            (message.id, opinion(sent), opinion(other)) for (message, sent, _), other in zip(batch, said, strict=True)
        ]
        self._store.keep(shadow, answers, at=self._now())

    def _take(self) -> list[Seen]:
        """Wait a moment for a message, then take those that wait beside it."""
        try:
            batch = [self._waiting.get(timeout=0.5)]
        except queue.Empty:
            return []
        while len(batch) < TOGETHER:
            try:
                batch.append(self._waiting.get_nowait())
            except queue.Empty:
                break
        return batch
