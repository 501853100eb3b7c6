"""The policy in force, and what another would change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fastapi import APIRouter, Depends, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, require_all
from nlp_service.core.policy import load_policy
from nlp_service.core.policy.saved import SavedPolicy
from nlp_service.core.replay import replay
from nlp_service.core.stored import Window
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.own_messages import messages_seen
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem

router = APIRouter(prefix="/policy", tags=["policy"], dependencies=[Depends(needs(Scope.MODELS))])


class PreviewIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"policy": "version: 1\npriority: []\nrouting: []\n", "days": 28}}
    )

    policy: str = Field(max_length=200_000, description="The policy to try, as YAML.")
    days: int = Field(28, ge=1, le=366, description="Days of stored history to replay.")


class SaveIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"policy": "version: 1\npriority: []\n", "after": None}}
    )

    policy: str = Field(max_length=200_000, description="The policy to put in force, as YAML.")
    after: int | None = Field(None, description="The saved version that it was written from; null where none was.")


class SavedOut(BaseModel):
    version: int = Field(description="Counts up; the greatest is in force.", examples=[3])
    saved_by: str = Field(description="Who saved it.", examples=["key abc"])
    saved_at: AwareDatetime = Field(description="When.")
    policy: str = Field(description="The policy as YAML.")

    @classmethod
    def of(cls, saved: SavedPolicy) -> SavedOut:
        return cls(version=saved.version, saved_by=saved.saved_by, saved_at=saved.saved_at, policy=saved.text)


class QueueOut(BaseModel):
    name: str = Field(description="Priority level or department.", examples=["urgent"])
    before: int = Field(description="Messages as decided when they came.")
    after: int = Field(description="Messages under the policy tried.")
    moves_to: dict[str, int] = Field(description="Where its messages would go.")


class HumanOut(BaseModel):
    before: int = Field(description="Messages that a person had to see.")
    after: int = Field(description="Messages that a person would have to see.")


class OutcomeOut(BaseModel):
    priority: str = Field(description="Priority level.")
    department: str = Field(description="Department.")
    needs_human: bool = Field(description="Whether a person must look.")


class MoveOut(BaseModel):
    message_id: str = Field(description="The message's id.")
    masked_text: str = Field(description="Its text, masked.")
    before: OutcomeOut = Field(description="As decided when it came.")
    after: OutcomeOut = Field(description="Under the policy tried.")


class ForecastOut(BaseModel):
    messages: int = Field(description="Messages replayed.")
    moved: int = Field(description="Messages whose priority, department or hand-over would change.")
    needs_human: HumanOut = Field(description="How many go to a person.")
    priority: list[QueueOut] = Field(description="Queues by priority level.")
    department: list[QueueOut] = Field(description="Queues by department.")
    examples: list[MoveOut] = Field(description="The first messages that would move.")


@router.get("", summary="The policy in force", response_class=Response)
def policy(service: ServiceDep) -> Response:
    """Return the YAML of the policy that decides now."""
    return Response(service.classify.policy().text, media_type="application/yaml; charset=utf-8")


@router.post(
    "/preview",
    summary="What another policy would change",
    responses={422: {"model": Problem, "description": "The policy has a fault; its line is named."}},
)
def preview(body: PreviewIn, service: ServiceDep, principal: PrincipalDep) -> ForecastOut:
    """Replay stored history under a policy: how many messages would move, and the queues before and after.

    A key of some departments replays the messages that are routed to them.
    """
    model = service.model
    tried = load_policy(body.policy, model.taxonomy, where="policy")
    at = now()
    stored = messages_seen(service, principal, Window(start=at - timedelta(days=body.days), end=at))
    forecast: dict[str, Any] = replay(stored, tried, model.taxonomy, model.calibration).as_data()
    return ForecastOut.model_validate(forecast)


@router.put(
    "",
    summary="Put a policy in force",
    responses={
        409: {"model": Problem, "description": "Another policy was saved meanwhile."},
        422: {"model": Problem, "description": "The policy has a fault; its line is named."},
    },
)
def save(body: SaveIn, service: ServiceDep, principal: PrincipalDep) -> SavedOut:
    """Check a policy and keep it as a new version; every process takes it on within seconds, without a restart."""
    require_all(principal, "the policy")
    load_policy(body.policy, service.model.taxonomy, where="policy")
    saved = service.policies.save(body.policy, by=principal.id, at=now(), after=body.after)
    service.policy.refresh()
    return SavedOut.of(saved)


@router.get("/versions", summary="Policies saved so far")
def versions(service: ServiceDep) -> list[SavedOut]:
    """Return saved policies, newest first; none was saved where the service decides by its file or the shipped one."""
    return [SavedOut.of(saved) for saved in service.policies.all()]
