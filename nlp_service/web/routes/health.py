"""Probes and metrics."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from nlp_service.errors import StorageUnavailable
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.answers import ModelOut

router = APIRouter(tags=["operation"])


class Health(BaseModel):
    status: str = Field(description="ok while the process runs.", examples=["ok"])


class Readiness(BaseModel):
    status: str = Field(description="ready once the model is warm and the database answers.", examples=["ready"])
    model: ModelOut = Field(description="The model that answers.")


@router.get("/healthz", summary="Is the process alive")
async def healthz() -> Health:
    """Answer while the process runs; restart it when this fails."""
    return Health(status="ok")


@router.get(
    "/readyz",
    summary="Can it label now",
    responses={503: {"model": Problem, "description": "The database does not answer."}},
)
def readyz(service: ServiceDep) -> Readiness:
    """Answer after the warm-up pass and while the database can be reached; send no traffic when this fails."""
    service.database.check()
    identity = service.model.identity
    return Readiness(status="ready", model=ModelOut(name=identity.name, version=identity.version))


@router.get("/metrics", summary="Prometheus metrics", response_class=Response)
def metrics(service: ServiceDep) -> Response:
    """Return the Prometheus exposition text."""
    if service.delivery is not None:
        at = service.delivery.now()
        try:
            backlog = service.delivery.log.backlog(now=at)
        except StorageUnavailable:
            backlog = None
        service.metrics.delivery.waiting(backlog, now=at)
    return Response(service.metrics.render(), media_type="text/plain; version=0.0.4; charset=utf-8")
