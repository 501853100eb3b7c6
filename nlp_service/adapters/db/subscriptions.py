"""Subscriptions in the database; where they lead to is sealed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.failures import conflict_on_duplicate
from nlp_service.adapters.db.tables import subscriptions
from nlp_service.core.audit import AuditEntry
from nlp_service.core.delivery.subscriptions import (
    Subscription,
    Target,
    decode_filter,
    decode_rhythm,
    decode_target,
    encode_filter,
    encode_rhythm,
    encode_target,
)
from nlp_service.errors import NotFound
from nlp_service.ports import Sealer


class Subscriptions:
    """ports.SubscriptionStore on a database."""

    def __init__(self, database: Database, *, sealer: Sealer, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._sealer = sealer
        self._clock = clock

    def add(self, subscription: Subscription, target: Target, *, by: str) -> None:
        """Store a new subscription; raises Conflict for a name that is taken."""
        now = self._clock()
        row = {
            "id": subscription.id,
            **_changeable(subscription),
            "channel": subscription.channel,
            "target": seal_target(self._sealer, subscription.id, target),
            "created_at": subscription.created_at or now,
            "failures": 0,
            "ready_at": now,
        }
        detail = f"a subscription named {subscription.name!r} is there already: choose another name or remove it"

        def write(connection: Connection) -> None:
            with conflict_on_duplicate(detail):
                connection.execute(insert(subscriptions).values(**row))
            self._tell(connection, "subscription.create", subscription, by)

        self._database.transaction(write)

    def all(self) -> tuple[Subscription, ...]:
        """Return every subscription, by name."""
        query = select(subscriptions).order_by(subscriptions.c.name)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(subscription_of(row) for row in rows)

    def get(self, key: str) -> Subscription:
        """Return the subscription of an id or a name; raises NotFound."""
        return subscription_of(self._row(key))

    def target(self, key: str) -> Target:
        """Return where a subscription leads to, unsealed; raises NotFound."""
        row = self._row(key)
        return open_target(self._sealer, row.id, row.target)

    def replace(self, subscription: Subscription, target: Target | None = None, *, by: str) -> None:
        """Store a changed subscription; one that becomes active starts with a clean record."""
        values = _changeable(subscription)
        if target is not None:
            values["target"] = seal_target(self._sealer, subscription.id, target)
        if subscription.state == "active":
            values |= {"failures": 0, "failing_since": None, "open_until": None, "ready_at": self._clock()}
        statement = update(subscriptions).where(subscriptions.c.id == subscription.id).values(**values)
        detail = f"a subscription named {subscription.name!r} is there already"

        def write(connection: Connection) -> int:
            with conflict_on_duplicate(detail):
                changed = connection.execute(statement).rowcount
            if changed:
                self._tell(connection, "subscription.change", subscription, by)
            return changed

        if not self._database.transaction(write):
            raise NotFound(f"no subscription {subscription.id!r}: see `nlp-service subscriptions list`")

    def remove(self, key: str, *, by: str) -> None:
        """Remove a subscription with its deliveries; raises NotFound."""
        subscription = self.get(key)

        def write(connection: Connection) -> None:
            if connection.execute(delete(subscriptions).where(subscriptions.c.id == subscription.id)).rowcount:
                self._tell(connection, "subscription.remove", subscription, by)

        self._database.transaction(write)

    def _tell(self, connection: Connection, action: str, subscription: Subscription, by: str) -> None:
        detail: dict[str, str | int | bool | None] = {
            "name": subscription.name,
            "channel": subscription.channel,
            "address": subscription.address,
            "state": subscription.state,
        }
        entry = AuditEntry(at=self._clock(), actor=by, action=action, subject=subscription.id, detail=detail)
        append(connection, entry)

    def _row(self, key: str) -> Row[Any]:
        query = select(subscriptions).where((subscriptions.c.id == key) | (subscriptions.c.name == key))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        if not rows:
            raise NotFound(f"no subscription {key!r}: see `nlp-service subscriptions list`")
        return min(rows, key=lambda row: row.id != key)


def target_owner(subscription_id: str) -> str:
    """Name what a sealed target belongs to."""
    return f"subscription {subscription_id}"


def seal_target(sealer: Sealer, subscription_id: str, target: Target) -> bytes:
    """Return the target encrypted for its row."""
    plain = json.dumps(encode_target(target)).encode()
    return sealer.seal(plain, belongs_to=target_owner(subscription_id))


def open_target(sealer: Sealer, subscription_id: str, sealed: bytes) -> Target:
    """Return what ``seal_target`` was given."""
    return decode_target(json.loads(sealer.open(bytes(sealed), belongs_to=target_owner(subscription_id))))


def subscription_of(row: Row[Any]) -> Subscription:
    """Read a row of the table."""
    return Subscription(
        id=row.id,
        name=row.name,
        channel=row.channel,
        filter=decode_filter(row.filter),
        rhythm=decode_rhythm(row.rhythm),
        language=row.language,
        state=row.state,
        state_reason=row.state_reason,
        address=row.address,
        created_at=row.created_at,
    )


def _changeable(subscription: Subscription) -> dict[str, Any]:
    return {
        "name": subscription.name,
        "filter": encode_filter(subscription.filter),
        "rhythm": encode_rhythm(subscription.rhythm),
        "language": subscription.language,
        "state": subscription.state,
        "state_reason": subscription.state_reason,
        "address": subscription.address,
    }
