"""Drift: what the newest weeks look like beside what the model was trained on."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime, BaseModel, Field

from nlp_service.core.access import Scope
from nlp_service.core.drift import as_data
from nlp_service.web.access import needs
from nlp_service.web.request import ServiceDep

router = APIRouter(tags=["models"], dependencies=[Depends(needs(Scope.MODELS))])


class DriftMeasureOut(BaseModel):
    name: str = Field(description="labels, languages, confidence or embedding.", examples=["labels"])
    value: float = Field(description="How far the week is from the reference, less what chance gives.")
    watch: float = Field(description="From here on worth a look.")
    alert: float = Field(description="From here on an alert is raised.")
    state: str = Field(description="steady, watch or alert.", examples=["steady"])
    because: str = Field(description="The same in words, with what moved most.")


class DriftWeekOut(BaseModel):
    start: AwareDatetime = Field(description="Monday 00:00 UTC.")
    end: AwareDatetime = Field(description="The Monday after, not included.")
    messages: int = Field(description="Labelled by this model in the week.")
    state: str = Field(description="The worst of its measures; few: too few messages to tell.", examples=["steady"])
    measures: list[DriftMeasureOut] = Field(description="One of each kind that the reference allows.")
    intents: dict[str, float] = Field(description="Share of each intent.")
    languages: dict[str, float] = Field(description="Share of each language.")
    confidence: float = Field(description="Mean confidence of the intent.")


class DriftModelOut(BaseModel):
    name: str = Field(description="Model name.", examples=["feedback-multilingual"])
    version: str = Field(description="Model version.", examples=["1.0.0"])


class DriftReferenceOut(BaseModel):
    source: str = Field(description="training, or past: the weeks before.", examples=["training"])
    messages: int = Field(description="Messages that the reference rests on.")


class DriftOut(BaseModel):
    model: DriftModelOut = Field(description="The model that answers.")
    state: str = Field(description="Of the newest week with enough messages.", examples=["steady"])
    reference: DriftReferenceOut = Field(description="What the weeks are held against.")
    missing: list[str] = Field(description="Measures that the reference does not allow.")
    weeks: list[DriftWeekOut] = Field(description="Oldest first.")


@router.get("/drift", summary="Drift by week")
def drift(
    service: ServiceDep,
    weeks: Annotated[int, Query(ge=1, le=52, description="At most so many.")] = 12,
) -> DriftOut:
    """Return what was measured last; the service measures every hour."""
    return DriftOut.model_validate(as_data(service.drift.report(weeks=weeks)))
