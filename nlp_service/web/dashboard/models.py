"""Models: which versions exist, what the one in force promises, promote and roll back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Response
from starlette.responses import RedirectResponse

from nlp_service.adapters.registry import Promotion, Registry, Version
from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, require_all
from nlp_service.core.audit import AuditEntry
from nlp_service.errors import Conflict, InputError
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import View, ViewDep

router = APIRouter(prefix="/ui/models", route_class=PageRoute, dependencies=[Depends(shows(Scope.MODELS))])

MOST_FIGURES = 40


@router.get("")
def page(view: ViewDep, accepted: str = "") -> Response:
    """Show the versions and the moves between them."""
    registry = Registry(view.service.settings.models)
    versions = registry.versions()
    past = registry.history()
    current = next((version for version in versions if version.accepted), None)
    return view.page(
        "models.html",
        versions=[(version, _made(view, version), dict(_figures(version.metrics))) for version in reversed(versions)],
        card=_card(current),
        promises=view.service.model.calibration.abstention,
        history=[(move, view.when(datetime.fromisoformat(move.at))) for move in reversed(past)],
        back_to=past[-1].before if past else None,
        accepted=accepted,
    )


@router.post("/promote")
def promote(
    view: ViewDep,
    viewer: ViewerDep,
    version: Annotated[str, Form(max_length=200)],
    confirm: Annotated[str, Form(max_length=200)] = "",
    why: Annotated[str, Form(max_length=500)] = "",
) -> Response:
    """Accept a version after it was typed once more."""
    require_all(viewer, "the model")
    _typed(confirm, version)
    move = Registry(view.service.settings.models).promote(version, by=viewer.id, why=why, at=now())
    return _told(view, move, "model.promote")


@router.post("/rollback")
def rollback(view: ViewDep, viewer: ViewerDep, confirm: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Go back to the version before, after it was typed."""
    require_all(viewer, "the model")
    registry = Registry(view.service.settings.models)
    past = registry.history()
    if not past or past[-1].before is None:
        raise Conflict("nothing was promoted yet, so that there is no version to go back to")
    _typed(confirm, past[-1].before)
    return _told(view, registry.rollback(by=viewer.id, at=now()), "model.rollback")


def _typed(confirm: str, version: str) -> None:
    if confirm.strip() != version:
        raise InputError(f"typed was {confirm!r}, the version is {version!r}: type it exactly")


def _told(view: View, move: Promotion, action: str) -> Response:
    detail = {"before": move.before, "why": move.why}
    entry = AuditEntry(at=now(), actor=move.by, action=action, subject=move.version, detail=detail)
    view.service.audit.record(entry).result()
    return RedirectResponse(f"/ui/models?accepted={move.version}", status_code=303)


def _made(view: View, version: Version) -> str:
    try:
        return view.when(datetime.fromisoformat(version.manifest.created_at))
    except ValueError:
        return version.manifest.created_at or "–"


def _figures(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield the first figures of a tree of them, named by their path."""
    for number, (key, value) in enumerate(metrics.items()):
        if number >= MOST_FIGURES:
            return
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from _figures(value, f"{name}.")
        elif isinstance(value, int | float):
            yield name, f"{value:.4g}"


def _card(version: Version | None) -> str:
    if version is None:
        return ""
    try:
        return (version.folder / "card.md").read_text(encoding="utf-8")
    except OSError:
        return ""
