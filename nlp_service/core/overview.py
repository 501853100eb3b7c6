"""The overview: what was said in a period, how much of it was bad or urgent, and what moved against the one before."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from nlp_service.core.stored import DailyCount, HourCount
from nlp_service.core.themes.statistics import discoveries, share
from nlp_service.core.themes.values import Interval

NEGATIVE = frozenset({"negative", "very_negative"})
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


def overview(
    counts: Iterable[DailyCount], *, start: date, days: int, departments: Collection[str] | None = None
) -> Overview:
    """Summarise ``days`` days from ``start``; counts of as many days before serve for comparison.

    Args:
        counts: of both periods.
        start: first day, UTC.
        days: length of the period.
        departments: those to be counted; None for all.
    """
    end = start + timedelta(days=days)
    seen = [item for item in counts if departments is None or item.department in departments]
    now = [item for item in seen if start <= item.day < end]
    earlier = [item for item in seen if start - timedelta(days=days) <= item.day < start]
    by_day: dict[date, list[DailyCount]] = defaultdict(list)
    by_channel: dict[str | None, list[DailyCount]] = defaultdict(list)
    for item in now:
        by_day[item.day].append(item)
        by_channel[item.channel].append(item)
    channels = [(channel, _totals(items)) for channel, items in by_channel.items()]
    return Overview(
        start=start,
        days=tuple((day, _totals(by_day[day])) for day in (start + timedelta(days=n) for n in range(days))),
        totals=_totals(now),
        before=_totals(earlier),
        channels=tuple(sorted(channels, key=lambda entry: (-entry[1].messages, entry[0] or ""))),
        complaints=_complaints(now, earlier),
        movers=_movers(now, earlier),
    )


def hours_of_week(counts: Iterable[HourCount], zone: tzinfo) -> Mapping[tuple[int, int], Totals]:
    """Count messages by (weekday from Monday = 0, hour) in a time zone."""
    messages: Counter[tuple[int, int]] = Counter()
    negative: Counter[tuple[int, int]] = Counter()
    for item in counts:
        local: datetime = item.hour.astimezone(zone)
        slot = (local.weekday(), local.hour)
        messages[slot] += item.messages
        negative[slot] += item.negative
    return {slot: Totals(messages=messages[slot], negative=negative[slot]) for slot in messages}


def _totals(items: Sequence[DailyCount]) -> Totals:
    return Totals(
        messages=sum(item.messages for item in items),
        negative=sum(item.messages for item in items if item.sentiment in NEGATIVE),
        urgent=sum(item.messages for item in items if item.priority == "urgent"),
        human=sum(item.messages for item in items if item.needs_human),
    )


def _by_intent(items: Iterable[DailyCount], *, negative: bool = False) -> Counter[str]:
    found: Counter[str] = Counter()
    for item in items:
        if not negative or item.sentiment in NEGATIVE:
            found[item.intent] += item.messages
    return found


def _complaints(now: Sequence[DailyCount], earlier: Sequence[DailyCount]) -> tuple[Complaint, ...]:
    current, past = _by_intent(now, negative=True), _by_intent(earlier, negative=True)
    top = sorted(current.items(), key=lambda entry: (-entry[1], entry[0]))[:COMPLAINTS]
    return tuple(Complaint(intent=intent, messages=count, before=past[intent]) for intent, count in top)


def _movers(now: Sequence[DailyCount], earlier: Sequence[DailyCount]) -> tuple[Mover, ...]:
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
