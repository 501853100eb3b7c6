"""Training jobs: a candidate is trained here, where the operator allows it."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from nlp_service.bootstrap.parts import now
from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Scope
from nlp_service.errors import Forbidden, NotFound
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.routes.jobs import JobOut
from nlp_service.web.schemas.problems import Problem

router = APIRouter(tags=["jobs"], dependencies=[Depends(needs(Scope.ADMIN))])


class TrainIn(BaseModel):
    """Corpora on the server, inside the folder that the operator allows."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"corpora": ["2026-11.jsonl"]}})

    corpora: list[str] = Field(
        min_length=1, max_length=20, description="Files in the corpus format, relative to the allowed folder."
    )
    epochs: int | None = Field(None, ge=1, le=20, description="How often the new messages are seen; 2 by default.")


@router.post(
    "/training-jobs",
    status_code=202,
    summary="Train a candidate",
    responses={
        403: {"model": Problem, "description": "Training is off here, or a path lies outside the allowed folder."},
        404: {"model": Problem, "description": "There is no such file."},
    },
)
def train(body: TrainIn, service: ServiceDep, principal: PrincipalDep) -> JobOut:
    """Queue the work; follow and cancel it under /jobs/{id}. The candidate still has to pass the gate."""
    if not service.settings.training_jobs:
        raise Forbidden("training jobs are off: the operator sets NLP_SERVICE_TRAINING_JOBS=true")
    corpora = [str(allowed_corpus(service, name)) for name in body.corpora]
    changes = [] if body.epochs is None else [f"train.epochs={body.epochs}"]
    params = {"corpora": corpora, "changes": changes}
    return JobOut.of(service.jobs.submit("train", params, by=principal.id, at=now()))


def allowed_corpus(service: Service, name: str) -> Path:
    """Return a corpus by its name; raises Forbidden for one outside of the folder, NotFound."""
    folder = service.settings.training_corpora
    if folder is None:
        raise Forbidden("no folder is open to training jobs: set NLP_SERVICE_TRAINING_CORPORA")
    root = folder.resolve()
    path = (root / name).resolve()
    if not path.is_relative_to(root):
        raise Forbidden(f"corpus {name!r} leaves the allowed folder: give it relative to that folder")
    if not path.is_file():
        raise NotFound(f"there is no corpus {name!r} in the allowed folder")
    return path
