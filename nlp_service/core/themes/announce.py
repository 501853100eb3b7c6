"""A change of a theme as the event that leaves the service."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from nlp_service.core.delivery.events import Share, ThemeEvent
from nlp_service.core.themes.values import Change, Theme

CRITICAL_URGENT = 0.3  # share of urgent messages that makes a theme critical
MAJOR_SHARE = 0.03  # share of all feedback that makes a theme major


def announce(change: Change, theme: Theme, *, public_url: str | None = None) -> ThemeEvent:
    """Return the event; the same change always gives the same id."""
    seen = theme.measure
    digest = hashlib.blake2b(f"{change.theme_id}\x1f{change.kind}\x1f{change.at.isoformat()}".encode(), digest_size=12)
    links: Mapping[str, str] = {"theme": f"{public_url.rstrip('/')}/themes/{theme.id}"} if public_url else {}
    share = None
    if seen is not None:
        share = Share(value=seen.share.value, low=seen.share.low, high=seen.share.high)
    return ThemeEvent(
        id=f"evt_{digest.hexdigest()}",
        theme_id=theme.id,
        kind=change.kind,
        at=change.at,
        title=theme.title,
        reason=change.reason,
        share=share,
        messages=seen.messages if seen else 0,
        customers=seen.customers if seen else 0,
        growth=seen.growth.ratio.value if seen and seen.growth else None,
        quotes=tuple(quote.text for quote in theme.name.quotes),
        departments=theme.departments,
        products=theme.products,
        severity=severity(theme),
        links=links,
    )


def severity(theme: Theme) -> str:
    """Critical where many of the messages are urgent, major where the theme is large or rising, else minor."""
    seen = theme.measure
    if seen is None or seen.counted == 0:
        return "minor"
    if seen.priorities.get("urgent", 0) >= CRITICAL_URGENT * seen.counted:
        return "critical"
    rising = seen.growth is not None and seen.growth.rising
    return "major" if rising or seen.share.value >= MAJOR_SHARE else "minor"
