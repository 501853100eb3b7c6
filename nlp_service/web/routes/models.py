"""Model versions: which exist, which one answers, promote and roll back."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nlp_service.adapters.db.shadows import Shadows
from nlp_service.adapters.registry import Promotion, Registry, Version
from nlp_service.bootstrap.learning import start_shadow
from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, require_all
from nlp_service.core.audit import AuditEntry
from nlp_service.core.shadow import Shadow, compare
from nlp_service.errors import InvalidMessage
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem

router = APIRouter(prefix="/models", tags=["models"], dependencies=[Depends(needs(Scope.MODELS))])


class VersionOut(BaseModel):
    id: str = Field(description="Name and version.", examples=["feedback-multilingual-1.0.0"])
    version: str = Field(description="Semantic version.", examples=["1.0.0"])
    accepted: bool = Field(description="Whether it answers now.")
    created_at: str = Field(description="When it was made, ISO 8601.")
    languages: list[str] = Field(description="ISO 639-1 codes served.")
    metrics: dict[str, Any] = Field(description="Figures that training measured.")
    trained_on_erased: list[str] = Field(description="Its corpora that hold messages removed at a customer's wish.")

    @classmethod
    def of(cls, version: Version) -> VersionOut:
        manifest = version.manifest
        return cls(
            id=version.id,
            version=manifest.version,
            accepted=version.accepted,
            created_at=manifest.created_at,
            languages=list(manifest.languages),
            metrics=dict(version.metrics),
            trained_on_erased=list(version.trained_on_erased),
        )


class PromotionOut(BaseModel):
    at: str = Field(description="When, ISO 8601.")
    by: str = Field(description="Who.")
    version: str = Field(description="The version that was accepted.")
    before: str | None = Field(description="The version before.")
    why: str = Field(description="Reason given.")
    forced: bool = Field(description="Whether it was promoted against the gate, or without a trial.")


class PromoteIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"confirm": "1.1.0", "why": "better on billing"}}
    )

    confirm: str = Field(description="The version once more, so that no slip promotes another.")
    why: str = Field("", max_length=500, description="Reason, kept in the history.")
    force: bool = Field(False, description="Promote although the gate did not pass it; needs a reason.")


class ShadowIn(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"share": 0.1}})

    share: float = Field(gt=0, le=1, description="Of the messages, 0 to 1.", examples=[0.1])


class ShadowOut(BaseModel):
    version: str = Field(description="The version in the shadow.", examples=["1.1.0"])
    share: float = Field(description="Of the messages.")
    started_at: AwareDatetime = Field(description="Since when.")
    started_by: str = Field(description="Who started it.")
    ended_at: AwareDatetime | None = Field(description="Until when; null while it runs.")

    @classmethod
    def of(cls, shadow: Shadow) -> ShadowOut:
        return cls(**{name: getattr(shadow, name) for name in cls.model_fields})


class ShadowMoveOut(BaseModel):
    sent: str = Field(description="What was sent.")
    shadow: str = Field(description="What the shadow said.")
    messages: int = Field(description="How often.")


class ShadowReportOut(BaseModel):
    shadow: ShadowOut = Field(description="The newest shadow.")
    messages: int = Field(description="Messages that both labelled.")
    agreement: dict[str, float] = Field(description="Share of equal answers by head.")
    needs_human: dict[str, float] = Field(description="Share handed to people: sent and shadow.")
    confidence: dict[str, float] = Field(description="Mean confidence of the intent: sent and shadow.")
    moves: dict[str, list[ShadowMoveOut]] = Field(description="Most frequent differences by head.")


@router.get("", summary="The versions of the model")
def versions(service: ServiceDep) -> list[VersionOut]:
    """Return every complete bundle with its figures; the accepted one is marked."""
    return [VersionOut.of(version) for version in _registry(service).versions()]


@router.get("/history", summary="Promotions and rollbacks")
def history(service: ServiceDep) -> list[PromotionOut]:
    """Return how the accepted version changed, oldest first."""
    return [PromotionOut(**vars(promotion)) for promotion in _registry(service).history()]


@router.post(
    "/{version}/shadow",
    status_code=201,
    summary="Let a version see live messages",
    responses={
        404: {"model": Problem, "description": "No such version."},
        409: {"model": Problem, "description": "It is the one that answers."},
    },
)
def shadow(
    body: ShadowIn,
    service: ServiceDep,
    principal: PrincipalDep,
    version: str = Path(description="Version to try.", examples=["1.1.0"]),
) -> ShadowOut:
    """Label a share of live messages with it too; its answers are stored and compared, never sent."""
    return ShadowOut.of(start_shadow(service.settings, service.database, version, body.share, by=principal.id))


@router.delete(
    "/shadow",
    status_code=204,
    summary="End the shadow",
    responses={409: {"model": Problem, "description": "None is running."}},
)
def shadow_off(service: ServiceDep, principal: PrincipalDep) -> None:
    """Stop labelling with it; what it said stays."""
    Shadows(service.database).stop(by=principal.id, at=now())


@router.get(
    "/shadow",
    summary="How the shadow compares",
    responses={404: {"model": Problem, "description": "No shadow has run yet."}},
)
def shadow_report(service: ServiceDep) -> ShadowReportOut:
    """Compare what was sent with what the newest shadow said."""
    shadows = Shadows(service.database)
    newest = shadows.newest()
    return ShadowReportOut(shadow=ShadowOut.of(newest), **compare(shadows.answers(newest)))


@router.post(
    "/{version}/promote",
    summary="Accept a version",
    responses={
        404: {"model": Problem, "description": "No such version."},
        409: {"model": Problem, "description": "It is accepted already, or the gate did not pass it."},
    },
)
def promote(
    body: PromoteIn,
    service: ServiceDep,
    principal: PrincipalDep,
    version: str = Path(description="Version to accept.", examples=["1.1.0"]),
) -> PromotionOut:
    """Point to a verified version; every process swaps to it within seconds and drops no request."""
    require_all(principal, "the model")
    if body.confirm != version:
        raise InvalidMessage(f"confirm is {body.confirm!r}, the version to promote is {version!r}", field="confirm")
    promotion = _registry(service).promote(version, by=principal.id, why=body.why, at=now(), force=body.force)
    return _told(service, promotion, "model.promote")


@router.post(
    "/rollback",
    summary="Go back to the version before",
    responses={409: {"model": Problem, "description": "Nothing was promoted yet."}},
)
def rollback(service: ServiceDep, principal: PrincipalDep) -> PromotionOut:
    """Accept the version before the latest promotion."""
    require_all(principal, "the model")
    return _told(service, _registry(service).rollback(by=principal.id, at=now()), "model.rollback")


def _registry(service: ServiceDep) -> Registry:
    return Registry(service.settings.models)


def _told(service: ServiceDep, promotion: Promotion, action: str) -> PromotionOut:
    detail = {"before": promotion.before, "why": promotion.why, "forced": promotion.forced}
    entry = AuditEntry(at=now(), actor=promotion.by, action=action, subject=promotion.version, detail=detail)
    service.audit.record(entry).result()
    return PromotionOut(**vars(promotion))
