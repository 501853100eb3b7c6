"""The words of the themes: what a theme is, what is measured of it, and what happens to it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.stored import Window

# new → active ⇄ rising; active, rising → acknowledged → fixed → recurred; quiet and dismissed from any
STATES = ("new", "active", "rising", "acknowledged", "fixed", "recurred", "quiet", "dismissed")


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95% interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Quote:
    message_id: str
    text: str  # masked


@dataclass(frozen=True, kw_only=True)
class Part:
    """A theme's share of one intent or department."""

    name: str
    share: float


@dataclass(frozen=True, kw_only=True)
class Name:
    """What a theme is called and how it sounds."""

    title: str  # says the matter: 说明书看不懂
    phrases: tuple[str, ...]  # key phrases, most telling first
    quotes: tuple[Quote, ...]  # typical and unlike one another
    language: str


@dataclass(frozen=True, kw_only=True)
class Growth:
    """A theme's messages now against what its own past leads to expect."""

    messages: int
    expected: float
    ratio: Interval  # messages to expected
    p: float  # one-sided, overdispersed
    rising: bool  # survives the false discovery rate across all themes tested together


@dataclass(frozen=True, kw_only=True)
class Flood:
    """Copies of one text that were counted once."""

    text: str  # masked
    messages: int
    customers: int


@dataclass(frozen=True, kw_only=True)
class Split:
    """A value of a dimension in which a theme is more frequent than elsewhere."""

    dimension: str  # product, region, channel, tier, hour_of_week
    value: str
    messages: int
    odds: Interval  # odds ratio against all other feedback
    p: float


@dataclass(frozen=True, kw_only=True)
class FixEffect:
    """Before against after the fix."""

    verdict: str  # worked, did_not, not_yet_known
    ratio: Interval  # daily rate after to daily rate before
    days_before: int
    days_after: int
    because: str


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One theme in one window."""

    window: Window
    messages: int  # as they came
    counted: int  # copies and repetitions of one customer counted once
    customers: int  # distinct; messages without a customer count as one each
    share: Interval  # of all counted feedback
    product_share: Interval | None = None  # of the feedback about its main product
    product: str | None = None  # the main product, where one is named by most
    corrected_share: Interval | None = None  # where people corrected labels: prediction-powered
    sentiment: float = 0.0  # mean score, -1 to 1
    priorities: Mapping[str, int] = field(default_factory=dict)
    growth: Growth | None = None
    onset: datetime | None = None  # when it began to be heard of more, where that can be told
    splits: tuple[Split, ...] = ()
    floods: tuple[Flood, ...] = ()
    daily: tuple[int, ...] = ()  # counted messages by UTC day from the window's start


@dataclass(frozen=True, kw_only=True)
class SubTheme:
    """A part of a large, mixed theme; a person can make it a theme of its own."""

    title: str
    phrases: tuple[str, ...]
    quotes: tuple[Quote, ...]
    messages: int
    centroid: tuple[float, ...]  # in the space of the model that found it


@dataclass(frozen=True, kw_only=True)
class Theme:
    """What customers say again and again; its id stays through windows, models and renaming."""

    id: str
    name: Name
    state: str  # one of STATES
    intents: tuple[Part, ...]
    departments: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    created_at: datetime
    products: tuple[str, ...] = ()
    parts: tuple[SubTheme, ...] = ()
    parent: str | None = None  # the theme that this was split off from
    merged_into: str | None = None
    named_by: str | None = None  # a person's title survives
    pinned: bool = False  # kept and shown even when quiet
    acknowledged_by: str | None = None
    acknowledged_at: datetime | None = None
    fixed_by: str | None = None
    fixed_at: datetime | None = None
    fixed_what: str | None = None
    dismissed_by: str | None = None
    fix: FixEffect | None = None
    measure: Measure | None = None  # of the newest window

    @property
    def title(self) -> str:
        return self.name.title


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """Where a theme lies in one model's space."""

    theme_id: str
    model: ModelIdentity
    centroid: FloatArray  # (d,), unit norm
    threshold: float  # cosine from which a message belongs


@dataclass(frozen=True, kw_only=True)
class Change:
    """Something that happened to a theme, and why."""

    theme_id: str
    kind: str  # one of core.delivery.events.KINDS
    reason: str
    at: datetime
    others: tuple[str, ...] = ()  # the other themes of a merge or split


def theme_id(seed: str) -> str:
    """Return the id of a theme that was born in ``seed`` (run and central message): the same seed, the same id."""
    return f"thm_{hashlib.blake2b(seed.encode(), digest_size=10).hexdigest()}"
