"""What is to be said to one endpoint: one event, or several in a digest, with the links that a reader may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from nlp_service.core.delivery.events import ThemeEvent

MOST_TITLE, MOST_REASON, MOST_QUOTE, MOST_QUOTES, MOST_PRODUCTS = 120, 200, 300, 3, 5
MOST_EVENTS = 100  # of a digest; more are counted, not listed


@dataclass(frozen=True, kw_only=True)
class Links:
    """Addresses for one event; None where the service has no public address."""

    theme: str | None = None
    acknowledge: str | None = None
    fix: str | None = None


@dataclass(frozen=True, kw_only=True)
class Notice:
    id: str  # the same on every attempt: the receiver's idempotency key
    form: str  # event, digest or sample
    events: tuple[ThemeEvent, ...]  # in the order in which they happened
    at: datetime  # of the attempt, aware
    language: str = "zh"
    subscription: str = ""  # name of the team's subscription
    links: Mapping[str, Links] = field(default_factory=dict)  # event id -> links

    def links_of(self, event: ThemeEvent) -> Links:
        return self.links.get(event.id, Links())


@dataclass(frozen=True, kw_only=True)
class Cut:
    """How much of a notice is shown."""

    quote: int = MOST_QUOTE  # characters of one
    quotes: int = MOST_QUOTES
    events: int | None = None  # None: all


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A notice as it fits: quotes shortened, events left out, and both said."""

    events: tuple[ThemeEvent, ...]
    is_shortened: bool
    left_out: int  # events


def show(notice: Notice, cut: Cut) -> Shown:
    """Apply a cut; the longest texts are bounded in any case."""
    kept = notice.events if cut.events is None else notice.events[: cut.events]
    events = tuple(_shorten(event, cut) for event in kept)
    shortened = any(
        len(new.quotes) < len(old.quotes) or any(len(quote) > cut.quote for quote in old.quotes[: cut.quotes])
        for old, new in zip(kept, events, strict=True)
    )
    return Shown(events=events, is_shortened=shortened, left_out=len(notice.events) - len(kept))


def fit(notice: Notice, render: Callable[[Shown], bytes], limit: int, *, most_events: int = MOST_EVENTS) -> bytes:
    """Return the fullest rendering of at most ``limit`` bytes: quotes go first, then the last events of a digest."""
    events = len(notice.events)
    first = None if events <= most_events else most_events
    events = min(events, most_events)
    cuts = [
        Cut(events=first, quote=quote, quotes=quotes)
        for quote, quotes in ((MOST_QUOTE, MOST_QUOTES), (160, MOST_QUOTES), (80, MOST_QUOTES), (80, 1), (0, 0))
    ]
    while events > 1:
        events = events * 3 // 4
        cuts.append(Cut(quotes=0, events=events))
    for cut in cuts:
        body = render(show(notice, cut))
        if len(body) <= limit:
            return body
    raise ValueError(f"notice {notice.id!r} with one event and no quotes is {len(body)} bytes, over {limit}")


def _shorten(event: ThemeEvent, cut: Cut) -> ThemeEvent:
    return replace(
        event,
        title=clip(event.title, MOST_TITLE),
        reason=clip(event.reason, MOST_REASON),
        products=tuple(clip(product, MOST_TITLE) for product in event.products[:MOST_PRODUCTS]),
        quotes=tuple(clip(quote, cut.quote) for quote in event.quotes[: cut.quotes]),
    )


def clip(text: str, length: int) -> str:
    """Return the text on one line, at most ``length`` characters, with a mark where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"
