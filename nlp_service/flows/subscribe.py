"""Subscribe: make, change, pause, resume, rotate and remove what a team is told."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from nlp_service.core.delivery.signing import new_webhook_secret, webhook_key
from nlp_service.core.delivery.subscriptions import (
    Filter,
    Rhythm,
    Secret,
    Subscription,
    Target,
    check_target,
    shown_address,
)
from nlp_service.errors import Conflict, InputError
from nlp_service.ports import SubscriptionStore

OVERLAP = timedelta(hours=24)  # that an old secret still signs
_SECRET_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class Created:
    subscription: Subscription
    secret: str | None = field(repr=False)  # made by us for the receiver to verify with; shown this once


class Subscribe:
    """Changes to subscriptions, each told in the audit log under ``by``."""

    def __init__(
        self,
        store: SubscriptionStore,
        *,
        now: Callable[[], datetime],
        random: Callable[[int], bytes],
        departments: Collection[str] | None = None,  # that exist; None: not known here
    ) -> None:
        self._store = store
        self._now = now
        self._random = random
        self._departments = departments

    def create(
        self,
        *,
        name: str,
        channel: str,
        target: Target,
        wanted: Filter | None = None,
        rhythm: Rhythm | None = None,
        language: str = "zh",
        by: str,
    ) -> Created:
        """Store a new, active subscription.

        Raises:
            InputError: a value cannot be used; it is named.
            Conflict: the name is taken.
        """
        secret = None
        if channel == "webhook" and not target.secrets:
            secret = new_webhook_secret(self._random(_SECRET_BYTES))
            target = replace(target, secrets=(Secret(value=secret),))
        subscription = Subscription(
            id=f"sub_{uuid.uuid4().hex}",
            name=name.strip(),
            channel=channel,
            filter=wanted or Filter(),
            rhythm=rhythm or Rhythm(),
            language=language,
            created_at=self._now(),
        )
        check_target(channel, target)
        if channel == "webhook":
            for known in target.secrets:
                webhook_key(known.value)
        if channel != "slack" and target.inbound_secret:
            webhook_key(target.inbound_secret)
        self._check_departments(subscription.filter)
        subscription = replace(subscription, address=shown_address(channel, target))
        self._store.add(subscription, target, by=by)
        return Created(subscription=subscription, secret=secret)

    def change(
        self, key: str, *, wanted: Filter | None = None, rhythm: Rhythm | None = None, name: str | None = None, by: str
    ) -> Subscription:
        """Change what a subscription asks for; what is queued already stays as it is."""
        known = self._store.get(key)
        wanted = wanted or known.filter
        self._check_departments(wanted)
        changed = replace(known, filter=wanted, rhythm=rhythm or known.rhythm, name=(name or known.name).strip())
        self._store.replace(changed, by=by)
        return changed

    def pause(self, key: str, *, by: str) -> Subscription:
        """Hold everything back; it is collected and sent after ``resume``."""
        return self._set_state(key, "paused", f"paused by {by}", by=by)

    def resume(self, key: str, *, by: str) -> Subscription:
        """Send again, also after the service switched an endpoint off."""
        return self._set_state(key, "active", "", by=by)

    def rotate(self, key: str, *, secret: str | None = None, by: str) -> Created:
        """Take a new secret; a webhook is signed with both for a day, so that the receiver can change over."""
        known, target = self._store.get(key), self._store.target(key)
        if known.channel not in {"webhook", "feishu", "dingtalk"}:
            raise Conflict(
                f"channel {known.channel} has no secret of its own: remove the subscription and make it anew"
            )
        if known.channel != "webhook" and secret is None:
            raise InputError(f"the secret of channel {known.channel} is made there: use --secret")
        made = secret or new_webhook_secret(self._random(_SECRET_BYTES))
        if known.channel == "webhook":
            webhook_key(made)
        now = self._now()
        old = [replace(entry, until=entry.until or now + OVERLAP) for entry in target.secrets[:1]]
        secrets = (Secret(value=made), *(old if known.channel == "webhook" else ()))
        self._store.replace(known, replace(target, secrets=secrets), by=by)
        return Created(subscription=known, secret=None if secret else made)

    def remove(self, key: str, *, by: str) -> None:
        """Remove a subscription and what is queued for it."""
        self._store.remove(key, by=by)

    def _set_state(self, key: str, state: str, reason: str, *, by: str) -> Subscription:
        changed = replace(self._store.get(key), state=state, state_reason=reason)
        self._store.replace(changed, by=by)
        return changed

    def _check_departments(self, wanted: Filter) -> None:
        if self._departments is None:
            return
        unknown = [name for name in wanted.departments if name not in self._departments]
        if unknown:
            known = ", ".join(sorted(self._departments))
            raise InputError(f"department {', '.join(unknown)} does not exist: use one of {known}")
