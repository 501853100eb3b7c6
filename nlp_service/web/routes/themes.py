"""Themes: what customers say again and again, and what people decide about it."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.responses import HTMLResponse, PlainTextResponse

from nlp_service.bootstrap.parts import now
from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Principal, Scope, require_all
from nlp_service.core.delivery.events import encode
from nlp_service.core.stored import Window
from nlp_service.core.themes.rendering import as_html, as_markdown
from nlp_service.core.themes.report import digest
from nlp_service.core.themes.values import Theme
from nlp_service.flows.mine import REPORTED
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.own_themes import events_seen, heard_seen, in_own_words, theme_seen, themes_seen
from nlp_service.web.request import ServiceDep
from nlp_service.web.routes.jobs import JobOut
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.theme_parts import MeasureOut
from nlp_service.wire.themes import (
    NOTHING,
    AcknowledgeIn,
    DismissIn,
    FixIn,
    HeardOut,
    MergeIn,
    MineIn,
    PinIn,
    RenameIn,
    SplitIn,
    ThemeOut,
)

router = APIRouter(prefix="/themes", tags=["themes"], dependencies=[Depends(needs(Scope.THEMES_READ))])
_WRITE = [Depends(needs(Scope.THEMES_WRITE))]
_MISSING = {"description": "No such theme, or none that this key may see.", "model": Problem}
_CONFLICT = {"description": "The theme's state does not allow it.", "model": Problem}
ThemeId = Annotated[str, Path(description="The theme's id.", examples=["thm_5f2c9a7be01d44c3a9e1"])]
Department = Annotated[str | None, Query(description="Only themes that concern this department.", max_length=200)]


@router.get("", summary="Themes, greatest share first")
def listed(
    service: ServiceDep,
    principal: PrincipalDep,
    state: Annotated[str | None, Query(description="Only themes in this state.", max_length=50)] = None,
    department: Department = None,
    every: Annotated[bool, Query(alias="all", description="Also merged, dismissed and quiet ones.")] = False,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most this many.")] = 100,
) -> list[ThemeOut]:
    """Return themes with the numbers of the newest window and the messages that came up to this moment."""
    themes = [theme for theme in themes_seen(service, principal, department) if _wanted(theme, state, every=every)]
    live = service.themes.live(Window(start=now() - REPORTED, end=now() + timedelta(minutes=1)))
    return [ThemeOut.of(theme, live.get(theme.id, NOTHING)) for theme in themes[:limit]]


@router.post("/mine", status_code=202, summary="Mine now, as a job", dependencies=[Depends(needs(Scope.JOBS))])
def mine(service: ServiceDep, principal: PrincipalDep, body: MineIn | None = None) -> JobOut:
    """Queue a run over the last days; `GET /jobs/{id}` says how far it is and what came of it."""
    require_all(principal, "mining")
    params = (body or MineIn()).model_dump()
    return JobOut.of(service.jobs.submit("mine", params, by=principal.id, at=now()))


@router.get("/report", summary="The digest of the newest window", responses={200: {"content": {"text/html": {}}}})
def report(
    service: ServiceDep,
    principal: PrincipalDep,
    department: Department = None,
    form: Annotated[Literal["json", "markdown", "html"], Query(alias="format", description="How.")] = "json",
    language: Annotated[Literal["zh", "en"], Query(description="Language of the headings.")] = "zh",
) -> Response:
    """Return top themes, movers, new ones and what was fixed, for one department or all."""
    themes = themes_seen(service, principal, department)
    windows = [theme.measure.window for theme in themes if theme.measure]
    window = max(windows, key=lambda entry: entry.end, default=Window(start=now() - REPORTED, end=now()))
    timelines = {theme.id: service.themes.timeline(theme.id, limit=12) for theme in themes}
    data = digest(themes, timelines, window, department=department)
    if form == "markdown":
        return PlainTextResponse(as_markdown(data, language=language), media_type="text/markdown")
    if form == "html":
        return HTMLResponse(as_html(data, language=language))
    return _json(data)


@router.get("/events", summary="What happened to themes, newest first")
def events(
    service: ServiceDep,
    principal: PrincipalDep,
    limit: Annotated[int, Query(ge=1, le=1000, description="At most this many.")] = 100,
) -> Response:
    """Return theme events as they are delivered, each with its reason."""
    known = {theme.id for theme in themes_seen(service, principal)}
    found = events_seen(principal, service.themes.events(limit=limit), known)
    return _json([encode(event) for event in found])


@router.get("/{theme_id}", summary="One theme", responses={404: _MISSING})
def show(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId) -> ThemeOut:
    """Return a theme with everything known of it."""
    theme = theme_seen(service, principal, theme_id)
    live = service.themes.live(Window(start=now() - REPORTED, end=now() + timedelta(minutes=1)))
    return ThemeOut.of(theme, live.get(theme.id, NOTHING))


@router.get("/{theme_id}/timeline", summary="Numbers by window, oldest first", responses={404: _MISSING})
def timeline(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId) -> list[MeasureOut]:
    """Return a theme's measures of the windows mined so far."""
    found = service.themes.timeline(theme_seen(service, principal, theme_id).id)
    return [MeasureOut.model_validate(measure) for measure in found]


@router.get("/{theme_id}/quotes", summary="Its messages, newest first", responses={404: _MISSING})
def quotes(
    service: ServiceDep,
    principal: PrincipalDep,
    theme_id: ThemeId,
    limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
    offset: Annotated[int, Query(ge=0, description="Passed over.")] = 0,
) -> list[HeardOut]:
    """Return messages of a theme, masked; a key of some departments gets those routed to them."""
    theme = theme_seen(service, principal, theme_id)
    found = heard_seen(service, principal, theme.id, limit=limit, offset=offset)
    return [HeardOut.model_validate(entry) for entry in found]


@router.get("/{theme_id}/events", summary="What happened to it, newest first", responses={404: _MISSING})
def theme_events(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId) -> Response:
    """Return the events of a theme, each with its reason."""
    theme = theme_seen(service, principal, theme_id)
    found = events_seen(principal, service.themes.events(theme_id=theme.id), {theme.id})
    return _json([encode(event) for event in found])


def _shown(service: Service, principal: Principal, moved: Theme) -> ThemeOut:
    return ThemeOut.of(in_own_words(service, principal, moved))


def _decision(path: str, summary: str) -> dict[str, object]:
    return {
        "path": f"/{{theme_id}}/{path}",
        "summary": summary,
        "dependencies": _WRITE,
        "responses": {404: _MISSING, 409: _CONFLICT},
    }


@router.post(**_decision("acknowledge", "Take a theme on"))  # type: ignore[arg-type]
def acknowledge(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: AcknowledgeIn) -> ThemeOut:
    """Say who works on it; asking again changes nothing."""
    theme_seen(service, principal, theme_id)
    return _shown(service, principal, service.steer.acknowledge(theme_id, by=body.by or principal.id))


@router.post(**_decision("fix", "Say that the cause is removed"))  # type: ignore[arg-type]
def fix(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: FixIn) -> ThemeOut:
    """Later runs compare before and after and say whether it worked."""
    theme_seen(service, principal, theme_id)
    return _shown(
        service, principal, service.steer.fix(theme_id, by=body.by or principal.id, at=body.at, what=body.what)
    )


@router.post(**_decision("dismiss", "Silence a theme"))  # type: ignore[arg-type]
def dismiss(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: DismissIn) -> ThemeOut:
    """Runs go on counting it, without events."""
    theme_seen(service, principal, theme_id)
    return _shown(service, principal, service.steer.dismiss(theme_id, by=body.by or principal.id, why=body.why))


@router.post(**_decision("restore", "Undo a dismissal or a merge"))  # type: ignore[arg-type]
def restore(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: AcknowledgeIn) -> ThemeOut:
    """Bring a theme back; the next run gives it its messages again."""
    theme_seen(service, principal, theme_id)
    return _shown(service, principal, service.steer.restore(theme_id, by=body.by or principal.id))


@router.post(**_decision("rename", "Give a title"))  # type: ignore[arg-type]
def rename(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: RenameIn) -> ThemeOut:
    """Runs keep a person's title."""
    theme_seen(service, principal, theme_id)
    return _shown(service, principal, service.steer.rename(theme_id, title=body.title, by=body.by or principal.id))


@router.post(**_decision("pin", "Keep a theme in sight"))  # type: ignore[arg-type]
def pin(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: PinIn) -> ThemeOut:
    """A pinned theme never goes quiet and is never merged by a run."""
    theme_seen(service, principal, theme_id)
    return _shown(service, principal, service.steer.pin(theme_id, pinned=body.pinned))


@router.post(**_decision("merge", "Let a theme go on as another"))  # type: ignore[arg-type]
def merge(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: MergeIn) -> ThemeOut:
    """Its messages, also future ones, count for the other, which is returned."""
    theme_seen(service, principal, theme_id)
    theme_seen(service, principal, body.into)
    return _shown(service, principal, service.steer.merge(theme_id, into=body.into, by=body.by or principal.id))


@router.post(**_decision("split", "Make a sub-theme a theme of its own"))  # type: ignore[arg-type]
def split(service: ServiceDep, principal: PrincipalDep, theme_id: ThemeId, body: SplitIn) -> ThemeOut:
    """From now on messages go to the nearer of the two; the new theme is returned."""
    theme_seen(service, principal, theme_id)
    return _shown(service, principal, service.steer.split(theme_id, part=body.part, by=body.by or principal.id))


def _wanted(theme: Theme, state: str | None, *, every: bool) -> bool:
    if state is not None:
        return theme.state == state
    hidden = theme.merged_into is not None or theme.state in ("dismissed", "quiet")
    return every or theme.pinned or not hidden


def _json(data: object) -> Response:
    import orjson

    return Response(orjson.dumps(data), media_type="application/json")
