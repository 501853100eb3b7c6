"""GET /customers/{id}: what the stored history says of a customer."""

from __future__ import annotations

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, BaseModel, Field

from nlp_service.bootstrap import now
from nlp_service.core.customers import customer_tags
from nlp_service.core.history import CustomerHistory
from nlp_service.errors import NotFound
from nlp_service.flows.classify import HISTORY
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.answers import CustomerTagOut

router = APIRouter(tags=["customers"])


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
    def of(cls, customer_id: str, history: CustomerHistory) -> CustomerDetailOut:
        tags = [
            CustomerTagOut(tag=tag.tag, reasons=list(tag.reasons)) for tag in customer_tags(history, None, at=now())
        ]
        messages = [
            PastMessageOut(
                message_id=past.message_id,
                at=past.at,
                intent=past.intent,
                sentiment=past.sentiment,
                flags=list(past.flags),
                priority=past.priority,
            )
            for past in history.messages
        ]
        return cls(customer_id=customer_id, tags=tags, messages=messages)


@router.get(
    "/customers/{customer_id}",
    summary="A customer's tags and recent messages",
    responses={404: {"model": Problem, "description": "Nothing is stored of this customer."}},
)
def customer(
    service: ServiceDep, customer_id: str = Path(description="The hub's customer id.", examples=["c-1001"])
) -> CustomerDetailOut:
    """Return the tags with their reasons and the labelled messages of the last 90 days, without any text."""
    history = service.messages.histories([customer_id], since=now() - HISTORY).get(customer_id)
    if history is None:
        raise NotFound(f"nothing is stored of customer {customer_id!r} in the last {HISTORY.days} days")
    return CustomerDetailOut.of(customer_id, history)
