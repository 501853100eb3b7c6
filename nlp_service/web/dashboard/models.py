"""Models: which versions exist, how good each is, what the one in force promises, promote and roll back, drift."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Response
from starlette.responses import RedirectResponse

from nlp_service.adapters.registry import Promotion, Registry, Version
from nlp_service.adapters.trials import Trials
from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, require_all
from nlp_service.core.audit import AuditEntry
from nlp_service.errors import Conflict, InputError
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import View, ViewDep

router = APIRouter(prefix="/ui/models", route_class=PageRoute, dependencies=[Depends(shows(Scope.MODELS))])

MOST_FIGURES = 60
DRIFT_WEEKS = 12
SIDE = 220  # of the reliability diagram, in its own units


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One figure of two versions."""

    name: str
    accepted: float | None
    other: float | None

    @property
    def change(self) -> float | None:
        return None if self.accepted is None or self.other is None else self.other - self.accepted


@router.get("")
def page(
    view: ViewDep,
    accepted: Annotated[str, Query(max_length=200)] = "",
    compare: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the versions, the accepted one beside another, the moves between them, and drift."""
    registry = Registry(view.service.settings.models)
    versions = registry.versions()
    past = registry.history()
    current = next((version for version in versions if version.accepted), None)
    other = _other(versions, compare)
    return view.page(
        "models.html",
        versions=[(version, _made(view, version), _objection(registry, version)) for version in reversed(versions)],
        current=current,
        other=other,
        others=[version for version in versions if not version.accepted],
        figures=_compared(current, other),
        diagram=_diagram(current, other),
        trial=_trial(view, other),
        card=_card(current),
        promises=view.service.model.calibration.abstention,
        history=[(move, view.when(datetime.fromisoformat(move.at))) for move in reversed(past)],
        back_to=past[-1].before if past else None,
        drift=view.service.drift.report(weeks=DRIFT_WEEKS),
        accepted=accepted,
    )


@router.post("/promote")
def promote(
    view: ViewDep,
    viewer: ViewerDep,
    version: Annotated[str, Form(max_length=200)],
    confirm: Annotated[str, Form(max_length=200)] = "",
    why: Annotated[str, Form(max_length=500)] = "",
    force: Annotated[bool, Form()] = False,
) -> Response:
    """Accept a version after it was typed once more; past the gate by force only, with a reason."""
    require_all(viewer, "the model")
    _typed(confirm, version)
    move = Registry(view.service.settings.models).promote(version, by=viewer.id, why=why, at=now(), force=force)
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
    detail = {"before": move.before, "why": move.why, "forced": move.forced}
    entry = AuditEntry(at=now(), actor=move.by, action=action, subject=move.version, detail=detail)
    view.service.audit.record(entry).result()
    return RedirectResponse(f"/ui/models?accepted={move.version}", status_code=303)


def _made(view: View, version: Version) -> str:
    try:
        return view.when(datetime.fromisoformat(version.manifest.created_at))
    except ValueError:
        return version.manifest.created_at or "–"


def _objection(registry: Registry, version: Version) -> str | None:
    return None if version.accepted else registry.objection(version)


def _other(versions: Sequence[Version], asked: str) -> Version | None:
    """Return the version to compare with: the one asked for, else the newest that is not accepted."""
    others = [version for version in versions if not version.accepted]
    return next((version for version in others if version.id == asked), others[-1] if others else None)


def _compared(current: Version | None, other: Version | None) -> list[Compared]:
    """Return the figures of the accepted version and of another, as training measured each."""
    one = dict(_figures(current.metrics)) if current else {}
    two = dict(_figures(other.metrics)) if other else {}
    names = list(dict.fromkeys([*one, *two]))[:MOST_FIGURES]
    return [Compared(name=name, accepted=one.get(name), other=two.get(name)) for name in names]


def _figures(metrics: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    """Yield the figures of a tree of them, named by their path."""
    for key, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _figures(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield f"{prefix}{key}", float(value)


def _diagram(*versions: Version | None) -> list[dict[str, Any]]:
    """Return for each version that carries bins its name, rows and points: confidence across, accuracy upwards."""
    found = []
    for version, tone in zip(versions, ("accent", "warn"), strict=True):
        rows = version.manifest.lineage.get("reliability") if version else None
        if version is None or not isinstance(rows, list) or not rows:
            continue
        most = max(float(row["n"]) for row in rows)
        points = [
            (SIDE * float(row["confidence"]), SIDE * (1 - float(row["accuracy"])), 2.5 + 5 * (float(row["n"]) / most))
            for row in rows
        ]
        found.append({"name": version.id, "tone": tone, "rows": rows, "points": points})
    return found


def _trial(view: View, other: Version | None) -> Mapping[str, Any] | None:
    return None if other is None else Trials(view.service.settings.models).find(other.manifest)


def _card(version: Version | None) -> str:
    if version is None:
        return ""
    try:
        return (version.folder / "card.md").read_text(encoding="utf-8")
    except OSError:
        return ""
