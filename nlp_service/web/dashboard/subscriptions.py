"""Subscriptions: which team is told of what and where; made, tried, held back and removed."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.responses import RedirectResponse

from nlp_service.bootstrap.delivery import Delivery
from nlp_service.core.access import Principal, Scope
from nlp_service.core.delivery.events import KINDS, PRODUCT_TEAM, SEVERITIES
from nlp_service.core.delivery.subscriptions import CHANNELS, RHYTHMS, Subscription
from nlp_service.errors import InputError, NlpServiceError, NotFound
from nlp_service.flows.subscribe import Created
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.subscription_form import Entered
from nlp_service.web.dashboard.view import View, ViewDep
from nlp_service.web.errors import status_of
from nlp_service.web.routes.subscriptions import may_see, require_own, seen

router = APIRouter(prefix="/ui/subscriptions", route_class=PageRoute, dependencies=[Depends(shows(Scope.DELIVERIES))])

Done = Annotated[Literal["", "paused", "active", "removed"], Query()]


@router.get("")
def listed(
    view: ViewDep, viewer: ViewerDep, done: Done = "", name: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Show the subscriptions that concern the viewer."""
    if view.service.delivery is None:
        return view.page("deliveries_off.html", nav="subscriptions")
    found = subscriptions_seen(view.service.delivery, viewer)
    return view.page("subscriptions.html", subscriptions=found, done=done, name=name)


@router.get("/new")
def form(view: ViewDep, viewer: ViewerDep) -> Response:
    """Show a form that makes a subscription; what is not typed is sane as it stands."""
    delivery_of(view)
    own = tuple(sorted(viewer.departments or ()))
    entered = Entered.empty(time_zone=view.service.settings.time_zone, language=view.language, departments=own)
    return _form(view, viewer, entered)


@router.post("")
async def create(request: Request, view: ViewDep, viewer: ViewerDep) -> Response:
    """Make a subscription; its page shows a secret that was made, this once."""
    delivery = delivery_of(view)
    entered = Entered.of(await request.form())
    body = entered.read()
    if isinstance(body, dict):
        return _form(view, viewer, entered, faults=body, code=422)
    wanted = body.filter.to_filter()
    try:
        require_own(viewer, wanted)
        created: Created = await run_in_threadpool(
            lambda: delivery.subscribe.create(
                name=body.name,
                channel=body.channel,
                target=body.target.to_target(),
                wanted=wanted,
                rhythm=body.rhythm.to_rhythm(),
                language=body.language,
                by=viewer.id,
            )
        )
    except NlpServiceError as exc:
        status, _ = status_of(exc)
        if status >= 500:
            raise
        return _form(view, viewer, entered, refused=str(exc), code=status)
    return _one(view, created.subscription, secret=created.secret, made=True)


@router.get("/{key}")
def one(view: ViewDep, viewer: ViewerDep, key: str, done: Done = "") -> Response:
    """Show a subscription: what it asks for, where it leads, whether it works."""
    return _one(view, seen(delivery_of(view), viewer, key), done=done)


@router.post("/{key}/sample")
def sample(view: ViewDep, viewer: ViewerDep, key: str) -> Response:
    """Send a made-up event now and show what was answered."""
    delivery = delivery_of(view)
    subscription = seen(delivery, viewer, key)
    sampled = delivery.sample(subscription.id)
    if "hx-request" in view.request.headers:
        return view.part("subscription_sample.html", sampled=sampled)
    return _one(view, delivery.subscriptions.get(subscription.id), sampled=sampled)


@router.post("/{key}/state")
def switch(view: ViewDep, viewer: ViewerDep, key: str, to: Annotated[Literal["active", "paused"], Form()]) -> Response:
    """Switch a subscription on again, or hold everything back."""
    delivery = delivery_of(view)
    subscription = seen(delivery, viewer, key)
    act = delivery.subscribe.resume if to == "active" else delivery.subscribe.pause
    act(subscription.id, by=viewer.id)
    return RedirectResponse(f"/ui/subscriptions/{subscription.id}?done={to}", status_code=303)


@router.post("/{key}/rotate")
def rotate(view: ViewDep, viewer: ViewerDep, key: str) -> Response:
    """Make a new secret and show it, this once; the old one signs as well for a day."""
    delivery = delivery_of(view)
    rotated = delivery.subscribe.rotate(seen(delivery, viewer, key).id, secret=None, by=viewer.id)
    return _one(view, rotated.subscription, secret=rotated.secret)


@router.post("/{key}/remove")
def remove(view: ViewDep, viewer: ViewerDep, key: str, confirm: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Remove a subscription with what is queued for it, after its name was typed."""
    delivery = delivery_of(view)
    subscription = seen(delivery, viewer, key)
    if confirm.strip() != subscription.name:
        raise InputError(view.t("subscriptions.typed", typed=confirm, name=subscription.name))
    delivery.subscribe.remove(subscription.id, by=viewer.id)
    return RedirectResponse(f"/ui/subscriptions?done=removed&name={quote(subscription.name)}", status_code=303)


def delivery_of(view: View) -> Delivery:
    """Return delivery; raises NotFound where this server has none."""
    if view.service.delivery is None:
        raise NotFound("delivery is not set up on this server: set NLP_SERVICE_ENCRYPTION_KEY and start it again")
    return view.service.delivery


def subscriptions_seen(delivery: Delivery, viewer: Principal) -> list[Subscription]:
    return [entry for entry in delivery.subscriptions.all() if may_see(viewer, entry)]


def _form(
    view: View,
    viewer: Principal,
    entered: Entered,
    *,
    faults: dict[str, str] | None = None,
    refused: str | None = None,
    code: int = 200,
) -> Response:
    known = sorted({*view.service.model.taxonomy.departments, PRODUCT_TEAM})
    return view.page(
        "subscription_form.html",
        entered=entered,
        faults=faults or {},
        refused=refused,
        channels=CHANNELS,
        departments=[name for name in known if viewer.departments is None or name in viewer.departments],
        kinds=KINDS,
        severities=SEVERITIES,
        rhythms=RHYTHMS,
        code=code,
    )


def _one(view: View, subscription: Subscription, **values: Any) -> Response:
    given: dict[str, Any] = {"secret": None, "made": False, "sampled": None, "done": "", **values}
    return view.page("subscription.html", subscription=subscription, **given)
