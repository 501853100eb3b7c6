"""The rate limit of each caller, counted in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from nlp_service.core.access import Principal
from nlp_service.core.rate import take
from nlp_service.errors import Overloaded

_MOST = 10_000  # callers remembered; those who have not asked for a while are forgotten first


class Limiter:
    """Counts per process, so that no request waits for another machine: n processes let n times as many in."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute  # for callers without a limit of their own; 0: none
        self._clock = clock
        self._lock = threading.Lock()
        self._full_at: dict[str, float] = {}

    def take(self, principal: Principal) -> None:
        """Count a request; raises Overloaded saying when to try again."""
        per_minute = self._per_minute if principal.per_minute is None else principal.per_minute
        if per_minute == 0:
            return
        now = self._clock()
        with self._lock:
            if len(self._full_at) >= _MOST:
                self._full_at = {key: at for key, at in self._full_at.items() if at > now}
            taken = take(self._full_at.get(principal.id, now), now, per_minute=per_minute)
            self._full_at[principal.id] = taken.full_at
        if taken.wait > 0:
            raise Overloaded(
                f"{principal.id} may make {per_minute} requests a minute: wait, send several messages in one request, "
                "or ask for a higher limit",
                retry_after=taken.wait,
            )
