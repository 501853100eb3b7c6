"""Deliveries: what was sent to whom, whether it arrived, and sending again."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Response
from starlette.responses import RedirectResponse

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Principal, Scope
from nlp_service.core.delivery.records import DELIVERY_STATES
from nlp_service.core.delivery.records import Delivery as Stored
from nlp_service.errors import NotFound
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.subscriptions import delivery_of, subscriptions_seen
from nlp_service.web.dashboard.view import View, ViewDep
from nlp_service.web.routes.subscriptions import may_see, own_subscriptions, seen

router = APIRouter(prefix="/ui/deliveries", route_class=PageRoute, dependencies=[Depends(shows(Scope.DELIVERIES))])


@router.get("")
def listed(
    view: ViewDep,
    viewer: ViewerDep,
    state: Annotated[str, Query(max_length=20)] = "",
    subscription: Annotated[str, Query(max_length=200)] = "",
    before: Annotated[int | None, Query(ge=1)] = None,
    resent: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show the newest deliveries of one subscription, or of all that the viewer may see."""
    if view.service.delivery is None:
        return view.page("deliveries_off.html", nav="deliveries")
    delivery = view.service.delivery
    key = seen(delivery, viewer, subscription).id if subscription else None
    page = delivery.log.page(
        state=state or None, subscription_id=key, among=own_subscriptions(delivery, viewer), before=before
    )
    return view.page(
        "deliveries.html",
        subscriptions=subscriptions_seen(delivery, viewer),
        page=page,
        states=DELIVERY_STATES,
        state=state,
        chosen=key or "",
        resent=resent,
    )


@router.post("/resend")
def resend_dead(view: ViewDep, viewer: ViewerDep, subscription: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Put every dead delivery of one subscription, or of all that the viewer may see, back in the queue."""
    delivery = delivery_of(view)
    own = own_subscriptions(delivery, viewer)
    which: list[str | None] = [None] if own is None else [*sorted(own)]
    if subscription:
        which = [seen(delivery, viewer, subscription).id]
    count = sum(delivery.log.resend_dead(subscription_id=key, by=viewer.id, at=now()) for key in which)
    return RedirectResponse(f"/ui/deliveries?subscription={which[0] if subscription else ''}&resent={count}", 303)


@router.get("/{delivery_id}")
def one(view: ViewDep, viewer: ViewerDep, delivery_id: str) -> Response:
    """Show a delivery with its attempts."""
    return view.page("delivery.html", delivery=_one(view, viewer, delivery_id))


@router.post("/{delivery_id}/resend")
def resend(view: ViewDep, viewer: ViewerDep, delivery_id: str) -> Response:
    """Put a dead delivery back in the queue."""
    delivery_of(view).log.resend(_one(view, viewer, delivery_id).id, by=viewer.id, at=now())
    return RedirectResponse(f"/ui/deliveries/{delivery_id}", status_code=303)


def _one(view: View, viewer: Principal, delivery_id: str) -> Stored:
    delivery = delivery_of(view)
    found = delivery.log.get(delivery_id)
    if not may_see(viewer, delivery.subscriptions.get(found.subscription_id)):
        raise NotFound(f"no delivery {delivery_id!r}")
    return found
