"""The overview: what was said in a period, how much of it was bad or urgent, and what moved against the one before."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from nlp_service.core.stored import GroupCount, HourCount, Window
from nlp_service.core.themes.statistics import discoveries, share
from nlp_service.core.themes.values import Interval

NEGATIVE = frozenset({"negative", "very_negative"})
URGENT = "urgent"
COMPLAINTS = 3
MOVERS = 6
LEAST_TO_MOVE = 5  # messages; fewer say nothing about a trend


@dataclass(frozen=True, kw_only=True)
class Totals:
    messages: int = 0
    negative: int = 0
    urgent: int = 0
    human: int = 0  # sent to people

    def share(self, kind: str) -> Interval:
        """Return the share of ``negative``, ``urgent`` or ``human`` messages with its 95% interval."""
        return share(getattr(self, kind), self.messages)


@dataclass(frozen=True, kw_only=True)
class Complaint:
    intent: str
    messages: int  # negative ones
    before: int  # in the period before


@dataclass(frozen=True, kw_only=True)
class Mover:
    """An intent whose share of all messages changed by more than chance."""

    intent: str
    messages: int
    before: int
    share: float
    share_before: float

    @property
    def rising(self) -> bool:
        return self.share > self.share_before


@dataclass(frozen=True, kw_only=True)
class Overview:
    start: date
    days: tuple[tuple[date, Totals], ...]  # every day of the period, ascending
    totals: Totals
    before: Totals  # of the period before, as long
    channels: tuple[tuple[str | None, Totals], ...]  # most messages first
    complaints: tuple[Complaint, ...]
    movers: tuple[Mover, ...]


def midnight(day: date, zone: tzinfo) -> datetime:
    """Return when a day begins in a time zone, in UTC, at a full hour: counts are kept by UTC hour.

    Where a zone is half an hour off (India), its days are cut half an hour early.
    """
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def period(start: date, days: int, zone: tzinfo) -> Window:
    """Return the window of ``days`` days from ``start`` in a time zone."""
    return Window(start=midnight(start, zone), end=midnight(start + timedelta(days=days), zone))


def overview(
    *,
    hours: Iterable[HourCount],
    channels: Iterable[GroupCount],
    intents: Iterable[GroupCount],
    intents_before: Iterable[GroupCount],
    start: date,
    days: int,
    zone: tzinfo,
    departments: Collection[str] | None = None,
) -> Overview:
    """Summarise ``days`` days from ``start``; the same number of days before serve for comparison.

    Args:
        hours: of both periods, of the departments to be counted alone.
        channels: of the period.
        intents: of the period.
        intents_before: of the period before.
        start: first day in ``zone``.
        days: length of the period.
        zone: on whose clock days begin.
        departments: those to be counted; None for all.
    """
    by_day: dict[date, list[HourCount]] = defaultdict(list)
    for item in hours:
        by_day[_local_day(item.hour, zone)].append(item)
    now = [start + timedelta(days=number) for number in range(days)]
    earlier = [start - timedelta(days=number + 1) for number in range(days)]
    by_channel: dict[str | None, list[GroupCount]] = defaultdict(list)
    for group in _seen(channels, departments):
        by_channel[group.value].append(group)
    listed = [(channel, _totals(groups)) for channel, groups in by_channel.items()]
    current, past = _seen(intents, departments), _seen(intents_before, departments)
    return Overview(
        start=start,
        days=tuple((day, _totals(by_day[day])) for day in now),
        totals=_totals([item for day in now for item in by_day[day]]),
        before=_totals([item for day in earlier for item in by_day[day]]),
        channels=tuple(sorted(listed, key=lambda entry: (-entry[1].messages, entry[0] or ""))),
        complaints=_complaints(current, past),
        movers=_movers(current, past),
    )


def _local_day(hour: datetime, zone: tzinfo) -> date:
    """Return the day that ``midnight`` puts an hour in."""
    day = hour.astimezone(zone).date()
    following = day + timedelta(days=1)
    return following if hour >= midnight(following, zone) else day


def _seen(groups: Iterable[GroupCount], departments: Collection[str] | None) -> list[GroupCount]:
    return [group for group in groups if departments is None or group.department in departments]


def hours_of_week(counts: Iterable[HourCount], zone: tzinfo) -> Mapping[tuple[int, int], Totals]:
    """Count messages by (weekday from Monday = 0, hour) in a time zone."""
    found: dict[tuple[int, int], list[HourCount]] = defaultdict(list)
    for item in counts:
        local: datetime = item.hour.astimezone(zone)
        found[local.weekday(), local.hour].append(item)
    return {slot: _totals(items) for slot, items in found.items()}


def _totals(items: Sequence[HourCount] | Sequence[GroupCount]) -> Totals:
    return Totals(
        messages=sum(item.messages for item in items),
        negative=sum(item.negative for item in items),
        urgent=sum(item.urgent for item in items),
        human=sum(item.human for item in items),
    )


def _by_intent(groups: Iterable[GroupCount], *, negative: bool = False) -> Counter[str]:
    found: Counter[str] = Counter()
    for group in groups:
        found[group.value or ""] += group.negative if negative else group.messages
    return +found  # without the intents of which nothing was counted


def _complaints(now: Sequence[GroupCount], earlier: Sequence[GroupCount]) -> tuple[Complaint, ...]:
    current, past = _by_intent(now, negative=True), _by_intent(earlier, negative=True)
    top = sorted(current.items(), key=lambda entry: (-entry[1], entry[0]))[:COMPLAINTS]
    return tuple(Complaint(intent=intent, messages=count, before=past[intent]) for intent, count in top)


def _movers(now: Sequence[GroupCount], earlier: Sequence[GroupCount]) -> tuple[Mover, ...]:
    """Return the intents whose share changed at a false discovery rate of 5%, the largest change first."""
    current, past = _by_intent(now), _by_intent(earlier)
    total, total_before = sum(current.values()), sum(past.values())
    if not total or not total_before:
        return ()
    names = sorted(name for name in current.keys() | past.keys() if current[name] + past[name] >= LEAST_TO_MOVE)
    tests = [_p_value(current[name], total, past[name], total_before) for name in names]
    movers = [
        Mover(
            intent=name,
            messages=current[name],
            before=past[name],
            share=current[name] / total,
            share_before=past[name] / total_before,
        )
        for name, found in zip(names, discoveries(tests), strict=True)
        if found
    ]
    return tuple(sorted(movers, key=lambda mover: -abs(mover.share - mover.share_before))[:MOVERS])


def _p_value(count: int, total: int, before: int, total_before: int) -> float:
    """Two-sided test of two shares being equal, by their pooled normal approximation."""
    pooled = (count + before) / (total + total_before)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / total_before))
    if deviation == 0:
        return 1.0
    return math.erfc(abs(count / total - before / total_before) / deviation / math.sqrt(2))
