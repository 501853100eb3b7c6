"""GET /customers/{id}: what the stored history says of a customer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from fastapi import APIRouter, Depends, Path
from pydantic import AwareDatetime, BaseModel, Field

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, visible
from nlp_service.core.customers import customer_tags
from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.errors import NotFound
from nlp_service.flows.classify import HISTORY
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.answers import CustomerTagOut

router = APIRouter(tags=["customers"], dependencies=[Depends(needs(Scope.READ))])


class PastMessageOut(BaseModel):
    message_id: str = Field(description="The message's id.", examples=["hub-1"])
    at: AwareDatetime = Field(description="When it was sent, or arrived.")
    intent: str = Field(description="Current intent.", examples=["delivery_delay"])
    sentiment: str = Field(description="Current sentiment.", examples=["negative"])
    flags: list[str] = Field(description="Flags set.")
    priority: str = Field(description="Priority level.", examples=["normal"])


class CustomerDetailOut(BaseModel):
    customer_id: str = Field(description="The customer.", examples=["c-1001"])
    tags: list[CustomerTagOut] = Field(description="Traits, each with its reasons.")
    messages: list[PastMessageOut] = Field(description="Messages of the last 90 days, oldest first.")

    @classmethod
    def of(cls, customer_id: str, past: Sequence[PastMessage], *, at: datetime) -> CustomerDetailOut:
        history = CustomerHistory(customer_id=customer_id, messages=tuple(past))
        tags = customer_tags(history, None, at=at)
        return cls(
            customer_id=customer_id,
            tags=[CustomerTagOut(tag=tag.tag, reasons=list(tag.reasons)) for tag in tags],
            messages=[PastMessageOut.model_validate(item, from_attributes=True) for item in past],
        )


@router.get(
    "/customers/{customer_id}",
    summary="A customer's tags and recent messages",
    responses={404: {"model": Problem, "description": "Nothing is stored of this customer."}},
)
def customer(
    service: ServiceDep,
    principal: PrincipalDep,
    customer_id: str = Path(description="The hub's customer id.", examples=["c-1001"]),
) -> CustomerDetailOut:
    """Return the tags with their reasons and the labelled messages of the last 90 days, without any text.

    A key of some departments sees the messages routed to them, and tags read off those alone.
    """
    at = now()
    seen = visible(principal)
    stored = [
        item
        for item in reversed(service.messages.customer(customer_id))
        if item.occurred_at >= at - HISTORY and (seen is None or item.labellings[0].route.department in seen)
    ]
    if not stored:
        raise NotFound(f"nothing is stored of customer {customer_id!r} in the last {HISTORY.days} days")
    return CustomerDetailOut.of(customer_id, [item.as_past() for item in stored], at=at)
