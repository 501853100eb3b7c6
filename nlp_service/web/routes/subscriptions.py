"""Subscriptions: which team is told of what, and where."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response

from nlp_service.bootstrap.delivery import Delivery
from nlp_service.core.access import Principal, Scope
from nlp_service.core.delivery.subscriptions import Filter, Subscription
from nlp_service.errors import ConfigurationError, Forbidden, NotFound
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.subscriptions import (
    RotateIn,
    SampleOut,
    SubscriptionChangeIn,
    SubscriptionIn,
    SubscriptionOut,
)

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"], dependencies=[Depends(needs(Scope.DELIVERIES))])
_MISSING = {"description": "No such subscription, or none that this key may see.", "model": Problem}
_TAKEN = {"description": "The name is taken, or the state does not allow it.", "model": Problem}
Key = Annotated[str, Path(description="The subscription's id or name.", examples=["sub_0a1b2c"], max_length=200)]


def delivery_of(service: ServiceDep) -> Delivery:
    """Return delivery; raises ConfigurationError where it has no encryption key."""
    if service.delivery is None:
        raise ConfigurationError("subscriptions keep secrets: set NLP_SERVICE_ENCRYPTION_KEY on every replica")
    return service.delivery


DeliveryDep = Annotated[Delivery, Depends(delivery_of)]


def may_see(principal: Principal, subscription: Subscription) -> bool:
    """Tell whether all that a subscription hears of belongs to the principal's departments."""
    asked = set(subscription.filter.departments)
    return principal.departments is None or (bool(asked) and asked <= principal.departments)


def seen(delivery: Delivery, principal: Principal, key: str) -> Subscription:
    """Return a subscription that the principal may see; raises NotFound."""
    subscription = delivery.subscriptions.get(key)
    if not may_see(principal, subscription):
        raise NotFound(f"no subscription {key!r}: see GET /subscriptions")
    return subscription


def own_subscriptions(delivery: Delivery, principal: Principal) -> frozenset[str] | None:
    """Return the ids of the subscriptions that the principal may see, None for all."""
    if principal.departments is None:
        return None
    return frozenset(entry.id for entry in delivery.subscriptions.all() if may_see(principal, entry))


@router.post("", status_code=201, summary="Tell a team of themes", responses={409: _TAKEN})
def create(body: SubscriptionIn, delivery: DeliveryDep, principal: PrincipalDep) -> SubscriptionOut:
    """Make a subscription; for a webhook the answer carries its secret, this once."""
    wanted = body.filter.to_filter()
    require_own(principal, wanted)
    created = delivery.subscribe.create(
        name=body.name,
        channel=body.channel,
        target=body.target.to_target(),
        wanted=wanted,
        rhythm=body.rhythm.to_rhythm(),
        language=body.language,
        by=principal.id,
    )
    return SubscriptionOut.of(created.subscription, secret=created.secret)


@router.get("", summary="All subscriptions")
def listed(delivery: DeliveryDep, principal: PrincipalDep) -> list[SubscriptionOut]:
    """Return subscriptions by name, without their secrets."""
    return [SubscriptionOut.of(entry) for entry in delivery.subscriptions.all() if may_see(principal, entry)]


@router.get("/{key}", summary="One subscription", responses={404: _MISSING})
def show(delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> SubscriptionOut:
    """Return a subscription with its state and the reason for it."""
    return SubscriptionOut.of(seen(delivery, principal, key))


@router.patch("/{key}", summary="Change what it asks for", responses={404: _MISSING, 409: _TAKEN})
def change(body: SubscriptionChangeIn, delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> SubscriptionOut:
    """Change name, filter or rhythm; what is queued already stays as it is."""
    known = seen(delivery, principal, key)
    wanted = body.filter.to_filter() if body.filter else None
    require_own(principal, wanted or known.filter)
    rhythm = body.rhythm.to_rhythm() if body.rhythm else None
    return SubscriptionOut.of(
        delivery.subscribe.change(known.id, wanted=wanted, rhythm=rhythm, name=body.name, by=principal.id)
    )


@router.post("/{key}/test", summary="Send a sample", responses={404: _MISSING})
def send_sample(delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> SampleOut:
    """Send a made-up event now, whatever the state, and say what the endpoint answered."""
    sampled = delivery.sample(seen(delivery, principal, key).id)
    outcome = sampled.outcome
    return SampleOut(
        delivery_id=sampled.delivery_id,
        outcome=outcome.kind,
        status=outcome.status,
        code=outcome.code,
        detail=outcome.detail,
    )


@router.post("/{key}/pause", summary="Hold everything back", responses={404: _MISSING})
def pause(delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> SubscriptionOut:
    """Collect what it would get, and send it after it is resumed."""
    return SubscriptionOut.of(delivery.subscribe.pause(seen(delivery, principal, key).id, by=principal.id))


@router.post("/{key}/resume", summary="Send again", responses={404: _MISSING})
def resume(delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> SubscriptionOut:
    """Send again, also to an endpoint that was switched off."""
    return SubscriptionOut.of(delivery.subscribe.resume(seen(delivery, principal, key).id, by=principal.id))


@router.post("/{key}/rotate", summary="Take a new secret", responses={404: _MISSING, 409: _TAKEN})
def rotate(body: RotateIn, delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> SubscriptionOut:
    """Sign with a new secret; a webhook is signed with the old one too for a day."""
    secret = body.secret.get_secret_value() if body.secret else None
    rotated = delivery.subscribe.rotate(seen(delivery, principal, key).id, secret=secret, by=principal.id)
    return SubscriptionOut.of(rotated.subscription, secret=rotated.secret)


@router.delete("/{key}", status_code=204, summary="Remove", responses={404: _MISSING}, response_class=Response)
def remove(delivery: DeliveryDep, principal: PrincipalDep, key: Key) -> Response:
    """Remove a subscription and what is queued for it."""
    delivery.subscribe.remove(seen(delivery, principal, key).id, by=principal.id)
    return Response(status_code=204)


def require_own(principal: Principal, wanted: Filter) -> None:
    """Refuse a filter that hears of other departments than the principal sees; raises Forbidden."""
    if principal.departments is None:
        return
    if not wanted.departments or not set(wanted.departments) <= principal.departments:
        own = ", ".join(sorted(principal.departments)) or "none"
        raise Forbidden(f"{principal.id} sees department {own}: name departments of these alone in the filter")
