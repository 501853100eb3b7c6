"""What happened to a theme, in the form in which it leaves the service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

# new: found for the first time            acknowledged: a person took it on     merged, split, renamed, dismissed: by a
# rising: grows against its own past       fixed: a person says it is fixed         person, or by a discovery run
# quiet: no longer heard of                recurred: heard again after fixed or quiet
# fix_worked, fix_failed: the comparison before and after the fix has decided
# drift: of a model, not of a theme: a week of messages is unlike what it was trained on
KINDS = (
    "new",
    "rising",
    "acknowledged",
    "fixed",
    "fix_worked",
    "fix_failed",
    "recurred",
    "quiet",
    "dismissed",
    "merged",
    "split",
    "renamed",
    "drift",
)
ALARMING_KINDS = ("new", "rising", "fixed", "fix_worked", "fix_failed", "recurred")  # what a team hears of by default
SEVERITIES = ("minor", "major", "critical")  # ascending
PRODUCT_TEAM = "product_team"
PRODUCT_TEAM_INTENTS = ("product_usage",)  # one unclear manual is support's matter, many are the product team's


@dataclass(frozen=True, kw_only=True)
class Share:
    value: float  # of all feedback in the window, 0 to 1
    low: float  # 95% interval
    high: float

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.value <= self.high <= 1:
            raise ValueError(f"share {self.value} with interval {self.low} to {self.high} is not within 0 to 1")


@dataclass(frozen=True, kw_only=True)
class ThemeEvent:
    id: str  # stable: the same event has the same id on every channel and every retry
    theme_id: str
    kind: str  # one of KINDS
    at: datetime  # aware
    title: str  # in words of the customers: 说明书看不懂
    reason: str = ""  # why this event: "share rose from 1.2% to 4.8% (p 0.001)", "fixed by wang"
    share: Share | None = None
    messages: int = 0  # in the window
    customers: int = 0  # distinct
    growth: float | None = None  # messages now to messages expected from the past: 2.0 = doubled
    quotes: tuple[str, ...] = ()  # masked
    departments: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    severity: str = "minor"  # one of SEVERITIES
    links: Mapping[str, str] = field(default_factory=dict)  # name -> address

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ValueError(f"event {self.id!r} has no time zone: {self.at.isoformat()}")
        if self.kind not in KINDS:
            raise ValueError(f"event {self.id!r} has kind {self.kind!r}, known are {', '.join(KINDS)}")
        if self.severity not in SEVERITIES:
            raise ValueError(f"event {self.id!r} has severity {self.severity!r}, known are {', '.join(SEVERITIES)}")


def theme_departments(intents: Sequence[str], routes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the departments that a theme of these intents concerns, first the one of its first intent.

    ``routes`` maps an intent to its default department (the taxonomy's). A theme goes to the team that can remove its
    cause, which for some intents is not the desk that answers one customer. An intent without a route, such as a
    provisional one, concerns nobody by itself.
    """
    named = [PRODUCT_TEAM if intent in PRODUCT_TEAM_INTENTS else routes.get(intent) for intent in intents]
    return tuple(dict.fromkeys(name for name in named if name is not None))


def trend(growth: float | None) -> str:
    """Return up, down or flat; within a fifth of the expected number nothing is said to move."""
    if growth is None or 0.8 <= growth <= 1.25:
        return "flat"
    return "up" if growth > 1 else "down"


def encode(event: ThemeEvent) -> dict[str, Any]:
    """Return JSON-ready data that ``decode`` reads back."""
    share = event.share
    return {
        "id": event.id,
        "theme_id": event.theme_id,
        "kind": event.kind,
        "at": event.at.isoformat(),
        "title": event.title,
        "reason": event.reason,
        "share": None if share is None else [share.value, share.low, share.high],
        "messages": event.messages,
        "customers": event.customers,
        "growth": event.growth,
        "quotes": list(event.quotes),
        "departments": list(event.departments),
        "products": list(event.products),
        "severity": event.severity,
        "links": dict(event.links),
    }


def decode(document: Mapping[str, Any]) -> ThemeEvent:
    """Rebuild the event that ``encode`` was given."""
    share = document["share"]
    return ThemeEvent(
        id=document["id"],
        theme_id=document["theme_id"],
        kind=document["kind"],
        at=datetime.fromisoformat(document["at"]),
        title=document["title"],
        reason=document["reason"],
        share=None if share is None else Share(value=share[0], low=share[1], high=share[2]),
        messages=document["messages"],
        customers=document["customers"],
        growth=document["growth"],
        quotes=tuple(document["quotes"]),
        departments=tuple(document["departments"]),
        products=tuple(document["products"]),
        severity=document["severity"],
        links=document["links"],
    )
