"""What to do after an attempt: done, retry at a time, disable the endpoint, or dead."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from nlp_service.core.delivery.outcome import Outcome

# Standard Webhooks, "retry schedule": the wait before each attempt, in seconds
SCHEDULE = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18000.0, 36000.0, 50400.0, 72000.0, 86400.0)
JITTER = 0.1  # of the wait, either way, so that what failed together does not come back together
LEAST_THROTTLED = timedelta(seconds=1)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    action: str  # done, retry, disable, dead
    because: str
    at: datetime | None = None  # of the next attempt, for retry


def decide(
    outcome: Outcome, *, failures: int, now: datetime, random: float, schedule: tuple[float, ...] = SCHEDULE
) -> Verdict:
    """Judge an attempt.

    Args:
        outcome: how it ended.
        failures: attempts of this delivery that failed before this one.
        now: when it ended.
        random: number in [0, 1) that spreads the retries.
        schedule: seconds before each attempt; its length is the number of attempts.
    """
    said = _said(outcome)
    if outcome.kind == "delivered":
        return Verdict(action="done", because=said)
    if outcome.kind == "gone":
        return Verdict(action="disable", because=f"{said}: the endpoint says that it is no more")
    if outcome.kind == "forbidden":
        return Verdict(action="disable", because=said)
    if outcome.kind == "invalid":
        return Verdict(action="dead", because=f"{said}: this content will never be taken")
    attempts = failures + 1
    if attempts >= len(schedule):
        return Verdict(action="dead", because=f"{said}: attempt {attempts} of {len(schedule)}")
    wait = timedelta(seconds=schedule[attempts] * (1 + JITTER * (2 * random - 1)))
    if outcome.kind == "throttled":
        wait = max(wait, LEAST_THROTTLED)
    if outcome.retry_after is not None:
        wait = max(wait, outcome.retry_after)
    return Verdict(action="retry", at=now + wait, because=f"{said}: attempt {attempts} of {len(schedule)}")


def _said(outcome: Outcome) -> str:
    parts = [outcome.kind]
    if outcome.status is not None:
        parts.append(f"status {outcome.status}")
    if outcome.code is not None and outcome.code != "0":
        parts.append(f"code {outcome.code}")
    if outcome.status is None and outcome.detail:
        parts.append(outcome.detail)
    return ", ".join(parts)
