"""The weekly digest of a department: top themes, movers, what was fixed, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from nlp_service.core.stored import Window
from nlp_service.core.themes.splits import sentence
from nlp_service.core.themes.values import Interval, Measure, Theme

TOP = 10


def digest(
    themes: Sequence[Theme],
    timelines: Mapping[str, Sequence[Measure]],
    window: Window,
    *,
    department: str | None = None,
    top: int = TOP,
) -> dict[str, Any]:
    """Return the digest as JSON-ready data.

    Args:
        themes: all themes.
        timelines: each theme's measures by window, oldest first.
        window: the week that is reported.
        department: whose themes; None for all.
        top: themes listed at most.
    """
    own = [
        theme
        for theme in themes
        if theme.measure is not None
        and theme.merged_into is None
        and theme.state != "dismissed"
        and (department is None or department in theme.departments)
    ]
    heard = [theme for theme in own if theme.measure and theme.measure.counted]
    listed = sorted(heard, key=lambda theme: (-_share(theme), theme.id))[:top]
    movers = [theme for theme in own if theme.measure and theme.measure.growth and theme.measure.growth.rising]
    recent = window.start - timedelta(days=60)
    fixed = [theme for theme in own if theme.fixed_at is not None and theme.fixed_at >= recent]
    return {
        "department": department,
        "from": window.start.isoformat(),
        "to": window.end.isoformat(),
        "themes": len(heard),
        "top": [entry(theme, timelines.get(theme.id, ())) for theme in listed],
        "movers": [entry(theme, timelines.get(theme.id, ())) for theme in movers],
        "new": [entry(theme, timelines.get(theme.id, ())) for theme in heard if theme.state == "new"][:top],
        "fixed": [entry(theme, timelines.get(theme.id, ())) for theme in fixed],
    }


def entry(theme: Theme, timeline: Sequence[Measure] = ()) -> dict[str, Any]:
    """Return one theme as a digest shows it."""
    seen = theme.measure
    growth = seen.growth if seen else None
    return {
        "id": theme.id,
        "title": theme.title,
        "state": theme.state,
        "departments": list(theme.departments),
        "messages": seen.counted if seen else 0,
        "customers": seen.customers if seen else 0,
        "share": _interval(seen.share) if seen else None,
        "growth": None
        if growth is None
        else {"ratio": _interval(growth.ratio), "p": growth.p, "rising": growth.rising},
        "stands_out": [sentence(split) for split in seen.splits] if seen else [],
        "copies": [{"text": flood.text, "messages": flood.messages} for flood in seen.floods] if seen else [],
        "quotes": [quote.text for quote in theme.name.quotes],
        "parts": [part.title for part in theme.parts],
        "fix": None
        if theme.fix is None
        else {"verdict": theme.fix.verdict, "ratio": _interval(theme.fix.ratio), "because": theme.fix.because},
        "fixed_what": theme.fixed_what,
        "series": [measure.counted for measure in timeline],
        "daily": list(seen.daily) if seen else [],
    }


def _interval(interval: Interval) -> dict[str, float]:
    return {"value": round(interval.value, 5), "low": round(interval.low, 5), "high": round(interval.high, 5)}


def _share(theme: Theme) -> float:
    return theme.measure.share.value if theme.measure else 0.0
