"""Rate limits of the channels: the generic cell rate algorithm (ITU-T I.371), one moment of state an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, kw_only=True)
class Limit:
    """``burst`` at once, then one an ``interval``: in any span at most burst + span / interval."""

    burst: int
    interval: timedelta


LIMITS: Mapping[str, Limit] = {
    "dingtalk": Limit(burst=5, interval=timedelta(seconds=4)),  # 5 + 15 in any minute; 20 are allowed
    "wecom": Limit(burst=5, interval=timedelta(seconds=4)),
    "feishu": Limit(burst=3, interval=timedelta(seconds=0.625)),  # 3 + 1.6 a second, 3 + 96 a minute; 5 and 100
    "slack": Limit(burst=1, interval=timedelta(seconds=1)),
    "jira": Limit(burst=5, interval=timedelta(seconds=0.5)),
}
GATHERED_FROM = 4  # due messages of a paced chat channel from which one digest is sent instead
GATHERING_CHANNELS = frozenset({"dingtalk", "wecom", "feishu", "slack"})


@dataclass(frozen=True, kw_only=True)
class Admission:
    count: int  # that may go out now
    paced_until: datetime | None  # the state to keep: when the allowance is full again
    ready_at: datetime  # when the next may go out


def admit(limit: Limit | None, *, wanted: int, paced_until: datetime | None, now: datetime) -> Admission:
    """Decide how many of ``wanted`` may go out now."""
    if limit is None or wanted == 0:
        return Admission(count=wanted, paced_until=paced_until, ready_at=now)
    full = limit.interval * limit.burst
    base = max(paced_until or now, now)
    room = max(0, int((full - (base - now)) / limit.interval))
    count = min(wanted, room)
    after = base + limit.interval * count
    ready_at = max(now, after - full + limit.interval)
    return Admission(count=count, paced_until=after, ready_at=ready_at)
