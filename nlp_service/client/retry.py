"""When to try again, as a pure decision."""

from __future__ import annotations

from dataclasses import dataclass

RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
FIRST_WAIT = 0.2  # seconds, doubled each time
LONGEST_WAIT = 30.0


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one try; status None means that no answer came."""

    status: int | None
    retry_after: str | None = None


def wait_before_retry(outcome: Outcome, *, tried: int, retries: int, jitter: float) -> float | None:
    """Return seconds to wait, or None to stop.

    Args:
        outcome: of the latest try.
        tried: tries so far, at least 1.
        retries: tries allowed after the first.
        jitter: uniform in [0, 1), drawn by the caller.
    """
    if tried > retries or (outcome.status is not None and outcome.status not in RETRIED):
        return None
    if outcome.retry_after is not None and outcome.retry_after.isdigit():
        return min(float(outcome.retry_after), LONGEST_WAIT)
    return float(min(FIRST_WAIT * 2 ** (tried - 1) * (0.5 + jitter), LONGEST_WAIT))
