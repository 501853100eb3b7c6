"""Personal data: a customer's export and removal, and the audit log that tells of both."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, Field

from nlp_service.core.access import Scope, require_all
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem

router = APIRouter(tags=["personal data"])

CustomerId = Annotated[str, Path(description="The hub's customer id.", examples=["c-1001"])]
_NOT_FOUND: dict[int | str, dict[str, object]] = {
    404: {"model": Problem, "description": "Nothing is stored of this customer."}
}


class ErasedOut(BaseModel):
    messages: int = Field(description="Messages removed.", examples=[12])
    rows: dict[str, int] = Field(description="Rows removed by table: labellings, quotes, corrections, …")


class AuditEntryOut(BaseModel):
    sequence: int = Field(description="Place in the chain.")
    at: AwareDatetime = Field(description="When.")
    actor: str = Field(description="Who: key id, user or command line.")
    action: str = Field(description="What was done.", examples=["customer.erase"])
    subject: str = Field(description="To what; customers under a pseudonym.")
    detail: dict[str, str | int | bool | None] = Field(description="Counts and names, no personal data.")


@router.get(
    "/customers/{customer_id}/export",
    summary="Everything stored of a customer",
    responses=_NOT_FOUND,
    response_class=Response,
    dependencies=[Depends(needs(Scope.PERSONAL))],
)
def export(service: ServiceDep, principal: PrincipalDep, customer_id: CustomerId) -> Response:
    """Return all rows that refer to the customer as one JSON document; the reading is told in the audit log."""
    require_all(principal, "the export of a customer")
    content = orjson.dumps(service.personal.export(customer_id, by=principal.id), option=orjson.OPT_NON_STR_KEYS)
    return Response(
        content,
        media_type="application/json",
        headers={"Content-Disposition": 'attachment; filename="customer.json"', "Cache-Control": "no-store"},
    )


@router.delete(
    "/customers/{customer_id}",
    summary="Remove everything stored of a customer",
    responses=_NOT_FOUND,
    dependencies=[Depends(needs(Scope.PERSONAL))],
)
def erase(service: ServiceDep, principal: PrincipalDep, customer_id: CustomerId) -> ErasedOut:
    """Remove messages, labellings, embeddings, quotes, corrections and queue entries; told in the audit log."""
    require_all(principal, "the removal of a customer")
    erased = service.personal.erase(customer_id, by=principal.id)
    return ErasedOut(messages=erased.messages, rows=dict(erased.rows))


@router.get("/audit", summary="The audit log", dependencies=[Depends(needs(Scope.ADMIN))])
def audit(
    service: ServiceDep,
    principal: PrincipalDep,
    before: Annotated[int | None, Query(ge=1, description="Sequence that the page before ended with.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000, description="Entries at most.")] = 100,
) -> list[AuditEntryOut]:
    """Return entries, newest first; chained by their hashes: `nlp-service db audit` verifies them."""
    require_all(principal, "the audit log")
    return [
        AuditEntryOut(
            sequence=chained.sequence,
            at=chained.entry.at,
            actor=chained.entry.actor,
            action=chained.entry.action,
            subject=chained.entry.subject,
            detail=dict(chained.entry.detail),
        )
        for chained in service.audit.entries(before=before, limit=limit)
    ]
