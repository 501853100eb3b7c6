"""Deliveries: what was sent, every attempt, dead letters."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query

from nlp_service.core.access import Scope
from nlp_service.core.delivery.records import Delivery as Stored
from nlp_service.errors import Forbidden, NotFound
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.routes.subscriptions import DeliveryDep, may_see, own_subscriptions, seen
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.subscriptions import DeliveryDetailOut, DeliveryOut, DeliveryPageOut, ResentOut

router = APIRouter(prefix="/deliveries", tags=["deliveries"], dependencies=[Depends(needs(Scope.DELIVERIES))])
_MISSING = {"description": "No such delivery, or none that this key may see.", "model": Problem}
_STATE = {"description": "It is not a dead letter.", "model": Problem}
DeliveryId = Annotated[str, Path(description="The delivery's id.", examples=["dlv_4f0c"], max_length=200)]
Of = Annotated[str | None, Query(description="Only of this subscription, by id or name.", max_length=200)]


@router.get("", summary="Deliveries, newest first", responses={404: _MISSING})
def listed(
    delivery: DeliveryDep,
    principal: PrincipalDep,
    state: Annotated[Literal["open", "done", "dead", "merged"] | None, Query(description="dead: dead letters.")] = None,
    subscription: Of = None,
    before: Annotated[int | None, Query(ge=1, le=2**62, description="As the page before gave it.")] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most this many.")] = 50,
) -> DeliveryPageOut:
    """Return a page; a key of some departments gets what was sent to these alone."""
    key = seen(delivery, principal, subscription).id if subscription is not None else None
    page = delivery.log.page(
        state=state, subscription_id=key, among=own_subscriptions(delivery, principal), before=before, limit=limit
    )
    return DeliveryPageOut(
        deliveries=[DeliveryOut.model_validate(entry) for entry in page.deliveries], before=page.before
    )


@router.get("/{delivery_id}", summary="One delivery with its attempts", responses={404: _MISSING})
def show(delivery: DeliveryDep, principal: PrincipalDep, delivery_id: DeliveryId) -> DeliveryDetailOut:
    """Return what is sent and every attempt with its answer and verdict."""
    return DeliveryDetailOut.of(_one(delivery, principal, delivery_id))


@router.post("/{delivery_id}/resend", summary="Send a dead letter again", responses={404: _MISSING, 409: _STATE})
def resend(delivery: DeliveryDep, principal: PrincipalDep, delivery_id: DeliveryId) -> ResentOut:
    """Send it again under the same id, with all attempts ahead."""
    delivery.log.resend(_one(delivery, principal, delivery_id).id, by=principal.id, at=delivery.now())
    return ResentOut(deliveries=1)


@router.post("/resend-dead", summary="Send every dead letter again", responses={404: _MISSING})
def resend_dead(delivery: DeliveryDep, principal: PrincipalDep, subscription: Of = None) -> ResentOut:
    """Send the dead letters of one subscription, or of all, again."""
    if subscription is None and principal.departments is not None:
        raise Forbidden(f"{principal.id} sees some departments only: name a subscription")
    key = seen(delivery, principal, subscription).id if subscription is not None else None
    count = delivery.log.resend_dead(subscription_id=key, by=principal.id, at=delivery.now())
    return ResentOut(deliveries=count)


def _one(delivery: DeliveryDep, principal: PrincipalDep, delivery_id: str) -> Stored:
    found = delivery.log.get(delivery_id)
    if not may_see(principal, delivery.subscriptions.get(found.subscription_id)):
        raise NotFound(f"no delivery {delivery_id!r}")
    return found
