"""Overview: what customers said in a period, at a glance."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Response

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, visible
from nlp_service.core.overview import Overview, hours_of_week, midnight, overview, period
from nlp_service.core.stored import Window
from nlp_service.core.themes.values import Theme
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import View, ViewDep

router = APIRouter(prefix="/ui/overview", route_class=PageRoute, dependencies=[Depends(shows(Scope.READ))])

PERIODS = (7, 28, 90)
STEPS = 5  # shades of the heat map
AFTER_FIX = ("fixed", "recurred")
MOST_FIXES = 5


@router.get("")
def page(
    view: ViewDep,
    viewer: ViewerDep,
    days: Annotated[Literal["7", "28", "90"], Query()] = "28",
    department: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """Show the last days, today included."""
    length = int(days)
    seen = visible(viewer, department or None)
    zone, reports = view.zone, view.service.reports
    start = now().astimezone(zone).date() - timedelta(days=length - 1)
    current, before = period(start, length, zone), period(start - timedelta(days=length), length, zone)
    hours = reports.hours(Window(start=before.start, end=current.end), departments=seen)
    channels = reports.channels(current)
    found = overview(
        hours=hours,
        channels=channels,
        intents=reports.intents(current),
        intents_before=reports.intents(before),
        start=start,
        days=length,
        zone=zone,
        departments=seen,
    )
    heat = hours_of_week([item for item in hours if item.hour >= midnight(start, zone)], zone)
    known = sorted({*view.service.model.taxonomy.departments, *(item.department for item in channels)})
    return view.page(
        "overview.html",
        found=found,
        days=days,
        department=department,
        departments=[name for name in known if viewer.departments is None or name in viewer.departments],
        fixes=_fixes(view, seen) if view.may("themes:read") else None,
        heat=_heat({slot: totals.messages for slot, totals in heat.items()}),
        **_charts(view, found),
    )


def _fixes(view: View, seen: AbstractSet[str] | None) -> list[Theme]:
    """Return the themes that somebody marked as fixed, the latest first."""
    marked = [
        (theme.fixed_at, theme)
        for theme in view.service.themes.themes(states=AFTER_FIX)
        if theme.fixed_at is not None and theme.merged_into is None and (seen is None or seen & {*theme.departments})
    ]
    return [theme for _, theme in sorted(marked, key=lambda entry: entry[0], reverse=True)[:MOST_FIXES]]


def _charts(view: View, found: Overview) -> dict[str, Any]:
    labels = [day.isoformat()[5:] for day, _ in found.days]
    return {
        "volume": {
            "kind": "bars",
            "labels": labels,
            "series": [
                {"name": view.t("overview.other"), "tone": "calm",
                 "values": [day.messages - day.negative for _, day in found.days]},
                {"name": view.t("overview.negative"), "tone": "bad",
                 "values": [day.negative for _, day in found.days]},
            ],
        },
        "shares": {
            "kind": "lines",
            "percent": True,
            "labels": labels,
            "series": [
                {"name": view.t(f"overview.{kind}"), "tone": tone,
                 "values": [round(day.share(kind).value, 4) if day.messages else None for _, day in found.days]}
                for kind, tone in (("negative", "bad"), ("urgent", "warn"), ("human", "ask"))
            ],
        },
    }  # fmt: skip


def _heat(slots: dict[tuple[int, int], int]) -> list[list[tuple[int, int]]]:
    """Return (messages, shade) by weekday and hour."""
    most = max(slots.values(), default=0)

    def cell(day: int, hour: int) -> tuple[int, int]:
        count = slots.get((day, hour), 0)
        return count, -(-count * STEPS // most) if most else 0

    return [[cell(day, hour) for hour in range(24)] for day in range(7)]
