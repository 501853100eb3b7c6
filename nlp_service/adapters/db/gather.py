"""A digest instead of a flood: for chat channels with a rate limit, what is due at once is sent as one message."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, literal, select, update

from nlp_service.adapters.db.deliveries import insert_delivery, message_id
from nlp_service.adapters.db.tables import deliveries, delivery_events
from nlp_service.core.delivery.notice import MOST_EVENTS
from nlp_service.core.delivery.pace import GATHERED_FROM, GATHERING_CHANNELS


def gather(connection: Connection, subscription: Row[Any], *, now: datetime) -> None:
    """Put the due, never tried deliveries of a subscription into one digest, where there are enough of them.

    What stands behind an attempt that failed stays behind it, so that each theme keeps its order.
    """
    if subscription.channel not in GATHERING_CHANNELS:
        return
    earlier = deliveries.alias("earlier")
    tried = select(earlier.c.id).where(
        earlier.c.subscription_id == subscription.id,
        earlier.c.state == "open",
        earlier.c.id < deliveries.c.id,
        (earlier.c.theme_id == deliveries.c.theme_id) | (earlier.c.form == "digest"),
        (earlier.c.attempts > 0) | (earlier.c.form == "digest") | (earlier.c.due_at > now),
    )
    query = (
        select(deliveries.c.id, deliveries.c.message_id)
        .where(deliveries.c.subscription_id == subscription.id, deliveries.c.state == "open")
        .where(deliveries.c.form == "event", deliveries.c.attempts == 0, deliveries.c.due_at <= now, ~tried.exists())
        .order_by(deliveries.c.id)
        .limit(MOST_EVENTS)
        .with_for_update(skip_locked=True, of=deliveries)
    )
    rows = connection.execute(query).all()
    if len(rows) < GATHERED_FROM:
        return
    digest_id = message_id("gathered", rows[0].message_id, rows[-1].message_id)
    digest = insert_delivery(
        connection,
        message_id=digest_id,
        subscription_id=subscription.id,
        form="digest",
        due_at=now,
        created_at=now,
    )
    keys = [row.id for row in rows]
    events = select(literal(digest), delivery_events.c.outbox_id).where(delivery_events.c.delivery_id.in_(keys))
    connection.execute(insert(delivery_events).from_select(["delivery_id", "outbox_id"], events))
    values = {"state": "merged", "reason": f"sent in {digest_id}", "ended_at": now}
    connection.execute(update(deliveries).where(deliveries.c.id.in_(keys)).values(**values))
