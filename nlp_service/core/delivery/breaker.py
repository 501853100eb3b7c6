"""An endpoint that keeps failing rests, is tried once, and in the end is switched off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from nlp_service.core.delivery.outcome import Outcome

THRESHOLD = 5  # failures in a row after which the endpoint rests
FIRST_REST = timedelta(seconds=30)
LONGEST_REST = timedelta(minutes=10)
_HEALTHY = frozenset({"delivered", "invalid"})  # an endpoint that finds fault with one content is alive


@dataclass(frozen=True, kw_only=True)
class Breaker:
    failures: int = 0  # in a row, over all deliveries of the endpoint
    failing_since: datetime | None = None
    open_until: datetime | None = None  # nothing is sent before

    @property
    def is_probing(self) -> bool:
        """Tell whether only one attempt at a time may go out."""
        return self.failures >= THRESHOLD


def record(breaker: Breaker, outcome: Outcome, *, now: datetime, first_rest: timedelta = FIRST_REST) -> Breaker:
    """Return the state after an attempt."""
    if outcome.kind in _HEALTHY:
        return Breaker()
    failures = breaker.failures + 1
    since = breaker.failing_since or now
    if outcome.kind == "throttled" and outcome.retry_after is not None:
        return Breaker(failures=failures, failing_since=since, open_until=now + outcome.retry_after)
    if failures < THRESHOLD:
        return Breaker(failures=failures, failing_since=since)
    rest = min(first_rest * 2 ** min(failures - THRESHOLD, 20), max(LONGEST_REST, first_rest))
    return Breaker(failures=failures, failing_since=since, open_until=now + rest)


def switch_off(breaker: Breaker, *, attempts: int) -> str | None:
    """Return why an endpoint is switched off once a delivery has used up its attempts, None where it is not."""
    if breaker.failures < attempts or breaker.failing_since is None:
        return None
    return f"{breaker.failures} attempts in a row failed since {breaker.failing_since:%Y-%m-%d %H:%M} UTC"
