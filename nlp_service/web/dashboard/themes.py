"""Themes: what customers say again and again, and what people decide about it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, Response
from starlette.responses import RedirectResponse

from nlp_service.core.access import Scope
from nlp_service.core.themes.values import STATES, Measure, Theme
from nlp_service.errors import InputError
from nlp_service.flows.steer import Steer
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import View, ViewDep
from nlp_service.web.own_themes import heard_seen, theme_seen, themes_seen

router = APIRouter(prefix="/ui/themes", route_class=PageRoute, dependencies=[Depends(shows(Scope.THEMES_READ))])

HIDDEN = ("quiet", "dismissed")
NEIGHBOURS = 5
HEARD = 20

Decision = Literal["acknowledge", "fix", "dismiss", "restore", "rename", "merge", "split", "pin", "unpin"]


@router.get("")
def listed(
    view: ViewDep,
    viewer: ViewerDep,
    state: Annotated[str, Query(max_length=40)] = "",
    department: Annotated[str, Query(max_length=80)] = "",
) -> Response:
    """List the themes that concern the viewer, greatest share first."""
    seen = themes_seen(view.service, viewer, department or None)
    shown = [theme for theme in seen if _wanted(theme, state)]
    known = sorted({name for theme in themes_seen(view.service, viewer) for name in theme.departments})
    return view.page(
        "themes.html", themes=shown, hidden=len(seen) - len(shown), states=STATES, state=state,
        departments=known, department=department, trend=_trend,
    )  # fmt: skip


@router.get("/{theme_id}")
def one(view: ViewDep, viewer: ViewerDep, theme_id: str, done: Annotated[str, Query(max_length=20)] = "") -> Response:
    """Show a theme: its numbers, its way, its quotes, its neighbours."""
    theme = theme_seen(view.service, viewer, theme_id)
    events = view.service.themes.events(theme_id=theme.id, limit=50)
    others = [
        other for other in themes_seen(view.service, viewer) if other.id != theme.id and not other.merged_into and
        other.state != "dismissed"
    ]  # fmt: skip
    return view.page(
        "theme.html",
        theme=theme,
        done=done,
        chart=_chart(view, theme, view.service.themes.timeline(theme.id)),
        events=events,
        heard=heard_seen(view.service, viewer, theme.id, limit=HEARD),
        neighbours=_neighbours(theme, others),
        others=others,
        trend=_trend,
    )


@router.post("/{theme_id}", dependencies=[Depends(shows(Scope.THEMES_WRITE))])
def decide(
    view: ViewDep,
    viewer: ViewerDep,
    theme_id: str,
    decision: Annotated[Decision, Form()],
    value: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Carry out a person's decision and show the theme again."""
    theme = theme_seen(view.service, viewer, theme_id)
    if decision == "merge":
        theme_seen(view.service, viewer, value)
    moved = _decisions(view.service.steer, theme, value.strip(), viewer.id)[decision]()
    return RedirectResponse(f"/ui/themes/{moved.id}?done={decision}", status_code=303)


def _decisions(steer: Steer, theme: Theme, value: str, by: str) -> dict[str, Callable[[], Theme]]:
    return {
        "acknowledge": lambda: steer.acknowledge(theme.id, by=by),
        "fix": lambda: steer.fix(theme.id, by=by, what=value or None),
        "dismiss": lambda: steer.dismiss(theme.id, by=by, why=value or None),
        "restore": lambda: steer.restore(theme.id, by=by),
        "rename": lambda: steer.rename(theme.id, title=_title(value), by=by),
        "merge": lambda: steer.merge(theme.id, into=value, by=by),
        "split": lambda: steer.split(theme.id, part=_index(value, len(theme.parts)), by=by),
        "pin": lambda: steer.pin(theme.id, pinned=True),
        "unpin": lambda: steer.pin(theme.id, pinned=False),
    }


def _title(value: str) -> str:
    if not value:
        raise InputError("the title is empty: write what customers say")
    return value[:200]


def _index(value: str, parts: int) -> int:
    if not value.isdigit() or int(value) >= parts:
        raise InputError(f"part {value!r} is not one of the {parts} sub-themes: open the theme again")
    return int(value)


def _wanted(theme: Theme, state: str) -> bool:
    if state:
        return theme.state == state
    return theme.pinned or (theme.merged_into is None and theme.state not in HIDDEN)


def _neighbours(theme: Theme, others: list[Theme]) -> list[tuple[Theme, int]]:
    """Return the themes that share most key phrases or intents, with how many."""
    own = {*theme.name.phrases, *(part.name for part in theme.intents)}
    shared = [(other, len(own & {*other.name.phrases, *(part.name for part in other.intents)})) for other in others]
    near = sorted((entry for entry in shared if entry[1]), key=lambda entry: (-entry[1], entry[0].id))
    return near[:NEIGHBOURS]


def _trend(measure: Measure) -> str:
    """Return the points of a line of 80 by 24 through the counted messages by day."""
    daily = measure.daily or (0,)
    top = max(*daily, 1)
    step = 80 / max(1, len(daily) - 1)
    return " ".join(f"{index * step:.1f},{23 - 22 * value / top:.1f}" for index, value in enumerate(daily))


def _chart(view: View, theme: Theme, timeline: tuple[Measure, ...]) -> dict[str, Any] | None:
    """Return the share by window with what people did marked, before the second window the messages by day."""
    if len(timeline) < 2:
        return _daily(view, theme.measure)
    labels = [(measure.window.end - timedelta(seconds=1)).date().isoformat() for measure in timeline]
    marks = [("acknowledged", theme.acknowledged_at), ("fixed", theme.fixed_at)]
    at = [(next((label for label in labels if label >= when.date().isoformat()), labels[-1]), view.t(f"state.{name}"))
          for name, when in marks if when is not None]  # fmt: skip
    lines = (("value", "themes.share", "accent", False), ("low", "themes.low", "calm", True),
             ("high", "themes.high", "calm", True))  # fmt: skip
    return {
        "kind": "lines",
        "percent": True,
        "labels": labels,
        "marks": [{"at": label, "name": name} for label, name in at],
        "series": [
            {"name": view.t(key), "tone": tone, "dashed": dashed,
             "values": [round(getattr(measure.share, bound), 4) for measure in timeline]}
            for bound, key, tone, dashed in lines
        ],
    }  # fmt: skip


def _daily(view: View, measure: Measure | None) -> dict[str, Any] | None:
    if measure is None or not measure.daily:
        return None
    days = [(measure.window.start + timedelta(days=number)).date() for number in range(len(measure.daily))]
    series = {"name": view.t("overview.messages"), "tone": "accent", "values": list(measure.daily)}
    return {"kind": "bars", "labels": [day.isoformat()[5:] for day in days], "series": [series]}
