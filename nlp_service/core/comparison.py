"""What changed between two labellings of the same messages: by another model or another policy."""

from __future__ import annotations

import heapq
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

EXAMPLES = 50
PER_TRANSITION = 5  # examples of one change of intent, so that a frequent one does not fill the list
FORECAST_DAYS = 7
_Z95 = 1.96


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What one output says of a message."""

    id: str
    text: str  # masked
    intent: str
    confidence: float
    sentiment: float  # -1 to 1
    priority: str
    department: str
    needs_human: bool
    sent_at: datetime | None


@dataclass(kw_only=True)
class Comparison:
    """Counts of (before, after) over the messages that both have, and examples."""

    messages: int = 0
    only_before: int = 0
    only_after: int = 0
    changed: int = 0  # in intent, priority, department or whether a person must look
    intents: Counter[tuple[str, str]] = field(default_factory=Counter)
    priorities: Counter[tuple[str, str]] = field(default_factory=Counter)
    departments: Counter[tuple[str, str]] = field(default_factory=Counter)
    human: Counter[tuple[bool, bool]] = field(default_factory=Counter)
    sentiment_shift: float = 0.0  # summed
    days: Mapping[str, Counter[tuple[str, date]]] = field(
        default_factory=lambda: {"before": Counter(), "after": Counter()}
    )
    _examples: dict[tuple[str, str], list[tuple[float, str, Opinion, Opinion]]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def count(self, before: Opinion, after: Opinion) -> None:
        self.messages += 1
        self.intents[before.intent, after.intent] += 1
        self.priorities[before.priority, after.priority] += 1
        self.departments[before.department, after.department] += 1
        self.human[before.needs_human, after.needs_human] += 1
        self.sentiment_shift += after.sentiment - before.sentiment
        if after.sent_at is not None:
            day = after.sent_at.date()
            self.days["before"][before.department, day] += 1
            self.days["after"][after.department, day] += 1
        weight = telling(before, after)
        if weight > 0:
            self.changed += 1
            kept = self._examples[before.intent, after.intent]
            heapq.heappush(kept, (weight, before.id, before, after))
            if len(kept) > PER_TRANSITION:
                heapq.heappop(kept)

    def examples(self, count: int = EXAMPLES) -> list[tuple[Opinion, Opinion]]:
        """Return the most telling changes, first the most telling."""
        every = [entry for kept in self._examples.values() for entry in kept]
        chosen = heapq.nsmallest(count, every, key=lambda entry: (-entry[0], entry[1]))
        return [(before, after) for _, _, before, after in chosen]

    def as_data(self) -> dict[str, Any]:
        """Return everything JSON-ready."""
        n = max(self.messages, 1)
        return {
            "messages": self.messages,
            "only_before": self.only_before,
            "only_after": self.only_after,
            "changed": self.changed,
            "changed_share": round(self.changed / n, 4),
            "mean_sentiment_shift": round(self.sentiment_shift / n, 4),
            "needs_human": {
                "before": sum(count for (old, _), count in self.human.items() if old),
                "after": sum(count for (_, new), count in self.human.items() if new),
            },
            "intent": _matrix(self.intents),
            "priority": _matrix(self.priorities),
            "department": _matrix(self.departments),
            "forecast": self.forecast(),
            "examples": [_example(before, after) for before, after in self.examples()],
        }

    def forecast(self) -> list[dict[str, Any]]:
        """Return each department's queue: its share before and after and, where times are known, a week to come.

        The interval takes the spread of the days as it was (counts of days vary more than chance alone).
        """
        days = sorted({day for _, day in self.days["after"]})
        span = (days[-1] - days[0]).days + 1 if days else 0
        names = sorted({name for pair in self.departments for name in pair})
        rows = []
        for name in names:
            row: dict[str, Any] = {"department": name}
            for place, side in enumerate(("before", "after")):
                total = sum(count for pair, count in self.departments.items() if pair[place] == name)
                row[side] = total
                row[f"{side}_share"] = round(total / max(self.messages, 1), 4)
                if span >= FORECAST_DAYS:
                    counts = [count for (who, _), count in self.days[side].items() if who == name]
                    row[f"{side}_week"] = _week(counts, span)
            rows.append(row)
        return sorted(rows, key=lambda row: (-row["after"], row["department"]))


def compare(pairs: Iterable[tuple[Opinion | None, Opinion | None]]) -> Comparison:
    """Count the changes over pairs; one side is None where only the other has the message."""
    comparison = Comparison()
    for before, after in pairs:
        if before is not None and after is not None:
            comparison.count(before, after)
        elif before is not None:
            comparison.only_before += 1
        else:
            comparison.only_after += 1
    return comparison


def telling(before: Opinion, after: Opinion) -> float:
    """Weigh a change: confident on both sides and with consequences weighs most; 0 where nothing changed."""
    weight = 0.0
    if before.intent != after.intent:
        weight += 1.0
    if before.priority != after.priority:
        weight += 1.5 if "urgent" in {before.priority, after.priority} else 0.5
    if before.department != after.department:
        weight += 0.75
    if before.needs_human != after.needs_human:
        weight += 0.25
    if weight == 0:
        return 0.0
    weight += min(abs(after.sentiment - before.sentiment), 1.0)
    return weight * math.sqrt(max(before.confidence, 0.01) * max(after.confidence, 0.01))


def _week(counts: list[int], span: int) -> dict[str, float]:
    """Mean and 95% interval of a week's sum from the days of a span; days without a message count as zero."""
    mean = sum(counts) / span
    variance = (sum(count * count for count in counts) - span * mean * mean) / max(span - 1, 1)
    half = _Z95 * math.sqrt(FORECAST_DAYS * max(variance, mean))
    expected = FORECAST_DAYS * mean
    return {
        "expected": round(expected, 1),
        "low": round(max(0.0, expected - half), 1),
        "high": round(expected + half, 1),
    }


def _matrix(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """Return the moves, the largest first, those that stayed among them."""
    ranked = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return [{"before": before, "after": after, "messages": count} for (before, after), count in ranked]


def _example(before: Opinion, after: Opinion) -> dict[str, Any]:
    sides = {
        name: {
            "intent": side.intent,
            "confidence": round(side.confidence, 4),
            "sentiment": round(side.sentiment, 4),
            "priority": side.priority,
            "department": side.department,
            "needs_human": side.needs_human,
        }
        for name, side in (("before", before), ("after", after))
    }
    return {"id": after.id, "text": after.text, **sides}
