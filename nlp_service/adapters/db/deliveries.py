"""The outbox: a theme event and what is to be sent of it, stored in the transaction that changed the theme."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text, update

from nlp_service.adapters.db.columns import insert_new
from nlp_service.adapters.db.tables import attempts, deliveries, delivery_events, outbox, subscriptions
from nlp_service.core.delivery.events import ThemeEvent, encode
from nlp_service.core.delivery.subscriptions import Rhythm, decode_filter, decode_rhythm, due, match


def enqueue(connection: Connection, event: ThemeEvent, *, at: datetime) -> int:
    """Store an event and a delivery for each subscription that it is for; the same event id twice changes nothing.

    Call it inside the transaction that changes the theme. Events of one theme are delivered in the order of these
    calls. Paused and disabled subscriptions collect what they would have got until they are resumed.

    Returns:
        How many subscriptions the event is for.
    """
    _hold_order(connection, event.theme_id)
    row = {
        "event_id": event.id,
        "theme_id": event.theme_id,
        "kind": event.kind,
        "document": encode(event),
        "created_at": at,
        "matched": 0,
    }
    statement = insert_new(outbox, connection.dialect.name).values(**row).returning(outbox.c.id)
    outbox_id = connection.execute(statement).scalar_one_or_none()
    if outbox_id is None:
        return 0
    candidates = connection.execute(select(subscriptions).order_by(subscriptions.c.id)).all()
    wanted = [candidate for candidate in candidates if match(event, decode_filter(candidate.filter)).wanted]
    for subscription in wanted:
        _fan_out(connection, event, outbox_id=outbox_id, subscription=subscription, at=at)
    if wanted:
        connection.execute(outbox.update().where(outbox.c.id == outbox_id).values(matched=len(wanted)))
    return len(wanted)


def message_id(*parts: str) -> str:
    """Return an id that is the same whenever the same thing is to be sent to the same endpoint."""
    digest = hashlib.blake2b("\x1f".join(parts).encode("utf-8", "replace"), digest_size=16)
    return f"dlv_{digest.hexdigest()}"


def insert_delivery(connection: Connection, **values: Any) -> int:
    """Add a delivery that nobody has tried yet; returns its key."""
    row = {"state": "open", "reason": "", "attempts": 0, "failures": 0, **values}
    return int(connection.execute(insert(deliveries).values(**row).returning(deliveries.c.id)).scalar_one())


def add_sample(
    connection: Connection, subscription_id: str, event: ThemeEvent, *, token: str, now: datetime, until: datetime
) -> Row[Any]:
    """Add a sample that its caller has claimed already."""
    row = {"event_id": event.id, "theme_id": event.theme_id, "kind": event.kind, "document": encode(event)}
    added = insert(outbox).values(**row, created_at=now, matched=1).returning(outbox.c.id)
    outbox_id = connection.execute(added).scalar_one()
    key = insert_delivery(
        connection,
        message_id=message_id(event.id, subscription_id),
        subscription_id=subscription_id,
        theme_id=event.theme_id,
        form="sample",
        due_at=until,
        created_at=now,
        claim=token,
        attempts=1,
    )
    connection.execute(insert(delivery_events).values(delivery_id=key, outbox_id=outbox_id))
    connection.execute(insert(attempts).values(delivery_id=key, number=1, started_at=now))
    return connection.execute(select(deliveries).where(deliveries.c.id == key)).one()


def _fan_out(
    connection: Connection, event: ThemeEvent, *, outbox_id: int, subscription: Row[Any], at: datetime
) -> None:
    rhythm = decode_rhythm(subscription.rhythm)
    if rhythm.when != "at_once":
        delivery = _open_digest(connection, subscription.id, rhythm, at=at)
    else:
        delivery = insert_delivery(
            connection,
            message_id=message_id(event.id, subscription.id),
            subscription_id=subscription.id,
            theme_id=event.theme_id,
            form="event",
            due_at=due(rhythm, at=at, severity=event.severity),
            created_at=at,
        )
        if due(rhythm, at=at, severity=event.severity) <= at:
            _wake(connection, event.theme_id, subscription.id, at=at)
    connection.execute(insert(delivery_events).values(delivery_id=delivery, outbox_id=outbox_id))


def _wake(connection: Connection, theme_id: str, subscription_id: str, *, at: datetime) -> None:
    """Bring forward what waits for the end of quiet hours and would hold up a critical event of its theme."""
    waiting = (deliveries.c.subscription_id == subscription_id) & (deliveries.c.theme_id == theme_id)
    unsent = (deliveries.c.state == "open") & (deliveries.c.attempts == 0) & (deliveries.c.due_at > at)
    connection.execute(update(deliveries).where(waiting, unsent).values(due_at=at))


def _open_digest(connection: Connection, subscription_id: str, rhythm: Rhythm, *, at: datetime) -> int:
    """Return the key of the digest that is gathering; one that a worker has already taken gathers no more."""
    moment = at
    while True:
        moment = due(rhythm, at=moment)
        key = moment.isoformat()
        statement = insert_new(deliveries, connection.dialect.name).values(
            message_id=message_id("digest", subscription_id, key),
            subscription_id=subscription_id,
            form="digest",
            digest_key=key,
            state="open",
            reason="",
            due_at=moment,
            attempts=0,
            failures=0,
            created_at=at,
        )
        connection.execute(statement)
        gathering = (
            select(deliveries.c.id)
            .where(deliveries.c.subscription_id == subscription_id, deliveries.c.digest_key == key)
            .where(deliveries.c.state == "open", deliveries.c.attempts == 0)
            .with_for_update()
        )
        found = connection.execute(gathering).scalar_one_or_none()
        if found is not None:
            return int(found)


def _hold_order(connection: Connection, theme_id: str) -> None:
    """Let transactions that enqueue events of one theme commit one after the other, so that keys follow time."""
    if connection.dialect.name == "postgresql":
        key = int.from_bytes(hashlib.blake2b(theme_id.encode("utf-8", "replace"), digest_size=8).digest(), "big")
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key - 2**63})


def count_unheard(connection: Connection, *, since: datetime) -> int:
    """Count the events since a time that no subscription was there for."""
    query = select(func.count()).select_from(outbox).where(outbox.c.matched == 0, outbox.c.created_at >= since)
    return int(connection.execute(query).scalar_one())


def expire_deliveries(connection: Connection, before: datetime, limit: int) -> int:
    """Remove events of before a moment whose deliveries have all ended, with those and their attempts."""
    held = (
        select(deliveries.c.id)
        .join(delivery_events, delivery_events.c.delivery_id == deliveries.c.id)
        .where(delivery_events.c.outbox_id == outbox.c.id, deliveries.c.state == "open")
    )
    old = select(outbox.c.id).where(outbox.c.created_at < before, ~held.exists()).order_by(outbox.c.id).limit(limit)
    keys = list(connection.execute(old).scalars())
    sent = select(delivery_events.c.delivery_id).where(delivery_events.c.outbox_id.in_(keys))
    ended = (deliveries.c.state != "open") & deliveries.c.id.in_(sent)
    connection.execute(delete(deliveries).where(ended))
    return connection.execute(delete(outbox).where(outbox.c.id.in_(keys))).rowcount
