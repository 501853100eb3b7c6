"""A policy as values: conditions, rules, and the facts that they are put to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Labels, Language
from nlp_service.core.messages import Message


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one message when its priority and route are decided."""

    labels: Labels
    message: Message
    language: Language
    history: CustomerHistory
    at: datetime  # aware; when it was sent, or now


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A fact has one of these values."""

    fact: str
    values: frozenset[str]  # case-folded, without wildcards
    patterns: tuple[str, ...] = ()  # case-folded, with * or ?


@dataclass(frozen=True, kw_only=True)
class Range:
    """A number lies within bounds."""

    fact: str
    above: float | None = None
    at_least: float | None = None
    below: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, kw_only=True)
class Past:
    """The customer sent so many messages like this within so many days before."""

    within_days: float
    at_least: int
    condition: Condition


@dataclass(frozen=True, kw_only=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class AnyOf:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, kw_only=True)
class Not:
    part: Condition


Condition = Choice | Range | Past | All | AnyOf | Not


@dataclass(frozen=True, kw_only=True)
class PriorityRule:
    id: str
    when: Condition
    level: str | None = None  # exactly one of level and step is given
    step: int = 0  # +1 more urgent, -1 less
    because: str | None = None  # template; None: the evidence alone


@dataclass(frozen=True, kw_only=True)
class RouteRule:
    id: str
    when: Condition
    department: str
    because: str | None = None


@dataclass(frozen=True, kw_only=True)
class Policy:
    priority: tuple[PriorityRule, ...]
    routing: tuple[RouteRule, ...]  # first match decides
    response_minutes: Mapping[str, int]  # priority level -> minutes
    target_accuracy: float | None = None  # asked for on what is answered automatically; None: the bundle's own
    text: str = field(default="", repr=False)  # the source as written
