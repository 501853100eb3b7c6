"""Intents that people add with a few examples, rename and merge."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nlp_service.core.access import Scope
from nlp_service.core.label_moves import LabelMove
from nlp_service.core.provisional import MOST_EXAMPLES, ProvisionalIntent
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem

router = APIRouter(prefix="/intents", tags=["models"], dependencies=[Depends(needs(Scope.MODELS))])

Id = Annotated[str, Field(min_length=2, max_length=60, description="Identifier.", examples=["gift_wrap"])]
Text = Annotated[str, Field(min_length=1, max_length=500)]


class IntentIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "id": "gift_wrap",
                "names": {"zh": "礼品包装", "en": "Gift wrap"},
                "group": "promotion",
                "department": "presales",
                "examples": [f"可以帮我包成礼物吗 {number}" for number in range(8)],
            }
        },
    )

    id: Id
    names: dict[str, Text] = Field(default_factory=dict, max_length=20, description="Language code: name.")
    group: str = Field(max_length=60, description="Group of the taxonomy.", examples=["promotion"])
    department: str = Field(max_length=60, description="Who gets it.", examples=["presales"])
    examples: list[Text] = Field(max_length=MOST_EXAMPLES, description="8 or more messages of the intent.")


class ProvisionalOut(BaseModel):
    id: str = Field(description="Identifier.", examples=["gift_wrap"])
    names: dict[str, str] = Field(description="Language code: name.")
    group: str = Field(description="Group of the taxonomy.")
    department: str = Field(description="Who gets it.")
    examples: list[str] = Field(description="Masked.")
    created_at: AwareDatetime = Field(description="Since when it answers.")
    created_by: str = Field(description="Who added it.")

    @classmethod
    def of(cls, intent: ProvisionalIntent) -> ProvisionalOut:
        return cls.model_validate({name: getattr(intent, name) for name in cls.model_fields})


class MoveIn(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"kind": "merge", "old": "order_placement", "new": "order_status"}},
    )

    kind: Literal["rename", "merge"] = Field(description="Rename to a new name, or merge into an intent that exists.")
    old: Id
    new: Id
    why: str = Field("", max_length=500, description="Reason, kept.")


class MoveOut(BaseModel):
    kind: str = Field(description="rename or merge.", examples=["rename"])
    old: str = Field(description="The name before.")
    new: str = Field(description="Today's name.")
    why: str = Field(description="Reason given.")
    moved_at: AwareDatetime = Field(description="When.")
    moved_by: str = Field(description="Who.")

    @classmethod
    def of(cls, move: LabelMove) -> MoveOut:
        return cls(**vars(move))


class MovedOut(BaseModel):
    labellings: int = Field(description="Stored labellings that have the new name now.")


@router.get("/provisional", summary="Intents that no model was trained on yet")
def provisional(service: ServiceDep) -> list[ProvisionalOut]:
    """Return them with their examples, oldest first."""
    return [ProvisionalOut.of(intent) for intent in service.intents.store.provisional()]


@router.post(
    "/provisional",
    status_code=201,
    summary="Add an intent with a few examples",
    responses={409: {"model": Problem, "description": "The id is taken."}},
)
def add(body: IntentIn, service: ServiceDep, principal: PrincipalDep) -> ProvisionalOut:
    """Answer with it from now on, marked as provisional; the next training makes it a full label."""
    added = service.intents.add(
        body.id,
        names=body.names,
        group=body.group,
        department=body.department,
        examples=body.examples,
        by=principal.id,
    )
    return ProvisionalOut.of(added)


@router.delete(
    "/provisional/{intent_id}",
    status_code=204,
    summary="Remove a provisional intent",
    responses={404: {"model": Problem, "description": "There is no such provisional intent."}},
)
def remove(
    service: ServiceDep,
    principal: PrincipalDep,
    intent_id: Annotated[str, Path(description="Identifier.", examples=["gift_wrap"])],
) -> None:
    """Stop answering with it; what was labelled with it stays."""
    service.intents.remove(intent_id, by=principal.id)


@router.get("/moves", summary="Intents that were renamed or merged")
def moves(service: ServiceDep) -> list[MoveOut]:
    """Return the moves in the order in which they apply."""
    return [MoveOut.of(move) for move in service.intents.store.moves()]


@router.post(
    "/moves",
    summary="Rename or merge an intent",
    responses={
        404: {"model": Problem, "description": "There is no such intent."},
        409: {"model": Problem, "description": "The new name is taken, or there is nothing to merge into."},
    },
)
def move(body: MoveIn, service: ServiceDep, principal: PrincipalDep) -> MovedOut:
    """Use the new name from now on, in stored labellings and counts, and in corpora at the next training."""
    moved = service.intents.move(body.kind, body.old, body.new, why=body.why, by=principal.id)
    return MovedOut(labellings=moved)
