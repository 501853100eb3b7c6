"""Deliveries: who is told, whether it arrived, and sending again."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Response
from starlette.responses import RedirectResponse

from nlp_service.bootstrap.delivery import Delivery
from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Principal, Scope
from nlp_service.core.delivery.records import DELIVERY_STATES
from nlp_service.core.delivery.records import Delivery as Stored
from nlp_service.errors import NotFound
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import View, ViewDep
from nlp_service.web.routes.subscriptions import may_see, own_subscriptions, seen

router = APIRouter(prefix="/ui/deliveries", route_class=PageRoute, dependencies=[Depends(shows(Scope.DELIVERIES))])


@router.get("")
def listed(
    view: ViewDep,
    viewer: ViewerDep,
    state: Annotated[str, Query(max_length=20)] = "",
    before: Annotated[int | None, Query(ge=1)] = None,
    resent: Annotated[int | None, Query(ge=0)] = None,
) -> Response:
    """Show the endpoints and the newest deliveries."""
    if view.service.delivery is None:
        return view.page("deliveries_off.html")
    delivery = view.service.delivery
    page = delivery.log.page(state=state or None, among=own_subscriptions(delivery, viewer), before=before)
    subscriptions = [entry for entry in delivery.subscriptions.all() if may_see(viewer, entry)]
    return view.page(
        "deliveries.html", subscriptions=subscriptions, page=page, states=DELIVERY_STATES, state=state, resent=resent
    )


@router.post("/resend")
def resend_dead(view: ViewDep, viewer: ViewerDep) -> Response:
    """Put every dead delivery that the viewer may see back in the queue."""
    delivery = _delivery(view)
    own = own_subscriptions(delivery, viewer)
    which: list[str | None] = [None] if own is None else [*sorted(own)]
    count = sum(delivery.log.resend_dead(subscription_id=key, at=now()) for key in which)
    return RedirectResponse(f"/ui/deliveries?resent={count}", status_code=303)


@router.post("/subscriptions/{key}")
def switch(view: ViewDep, viewer: ViewerDep, key: str, to: Annotated[Literal["active", "paused"], Form()]) -> Response:
    """Switch an endpoint on again, or pause it."""
    delivery = _delivery(view)
    subscribe = delivery.subscribe
    key = seen(delivery, viewer, key).id
    (subscribe.resume if to == "active" else subscribe.pause)(key, by=viewer.id)
    return RedirectResponse("/ui/deliveries", status_code=303)


@router.get("/{delivery_id}")
def one(view: ViewDep, viewer: ViewerDep, delivery_id: str) -> Response:
    """Show a delivery with its attempts."""
    return view.page("delivery.html", delivery=_one(view, viewer, delivery_id))


@router.post("/{delivery_id}/resend")
def resend(view: ViewDep, viewer: ViewerDep, delivery_id: str) -> Response:
    """Put a dead delivery back in the queue."""
    _delivery(view).log.resend(_one(view, viewer, delivery_id).id, at=now())
    return RedirectResponse(f"/ui/deliveries/{delivery_id}", status_code=303)


def _one(view: View, viewer: Principal, delivery_id: str) -> Stored:
    delivery = _delivery(view)
    found = delivery.log.get(delivery_id)
    if not may_see(viewer, delivery.subscriptions.get(found.subscription_id)):
        raise NotFound(f"no delivery {delivery_id!r}")
    return found


def _delivery(view: View) -> Delivery:
    if view.service.delivery is None:
        raise NotFound("delivery is not set up on this server: set NLP_SERVICE_ENCRYPTION_KEY and start it again")
    return view.service.delivery
