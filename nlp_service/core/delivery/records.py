"""A delivery and its attempts as they are stored and shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.notice import Notice
from nlp_service.core.delivery.subscriptions import Subscription, Target

DELIVERY_STATES = ("open", "done", "dead", "merged")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    number: int
    started_at: datetime
    ended_at: datetime | None = None  # None while it lasts
    outcome: str | None = None  # a kind of outcome, or interrupted
    status: int | None = None
    code: str | None = None
    detail: str = ""  # part of the answer
    verdict: str | None = None
    because: str = ""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    id: str  # the message id that every attempt carries
    subscription_id: str
    subscription: str  # name
    channel: str
    form: str  # event, digest, sample
    state: str  # one of DELIVERY_STATES
    reason: str
    theme_id: str | None
    due_at: datetime
    created_at: datetime
    ended_at: datetime | None
    failures: int
    events: tuple[ThemeEvent, ...] = ()
    attempts: tuple[Attempt, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeliveryPage:
    deliveries: tuple[Delivery, ...]  # newest first, without events and attempts
    before: int | None  # give it to get the next page; None at the end


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What waits on a channel."""

    channel: str
    open: int  # deliveries that have not arrived
    dead: int  # dead letters
    oldest: datetime | None  # when the oldest that should have arrived by now was made; None: there is none


@dataclass(frozen=True, kw_only=True)
class Claim:
    """The right to make one attempt, until the lease ends."""

    key: int  # of the stored delivery
    token: str
    delivery_id: str
    form: str
    subscription: Subscription
    target: Target = field(repr=False)
    events: tuple[ThemeEvent, ...]
    attempt: int  # 1 for the first
    failures: int  # attempts before this one that failed
    lease_until: datetime


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The issue that stands for a theme in a team's tracker."""

    subscription_id: str
    theme_id: str
    issue: str  # key
    state: str  # open, closed


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What a sender is handed for one attempt."""

    notice: Notice
    subscription: Subscription
    target: Target = field(repr=False)
    is_first: bool  # nothing was sent before under this id
