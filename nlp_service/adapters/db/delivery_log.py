"""Deliveries and their attempts as people see them, and sending dead ones again."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, or_, select, update

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import attempts, deliveries, delivery_events, outbox, subscriptions
from nlp_service.core.audit import AuditEntry
from nlp_service.core.delivery.events import decode
from nlp_service.core.delivery.records import Attempt, Backlog, Delivery, DeliveryPage
from nlp_service.errors import Conflict, NotFound

_COLUMNS = (*deliveries.c, subscriptions.c.name.label("subscription"), subscriptions.c.channel)
_SHOWN = ("subscription_id", "subscription", "channel", "form", "state", "reason", "theme_id")


class DeliveryRecords:
    """ports.DeliveryLog on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def page(
        self,
        *,
        state: str | None = None,
        subscription_id: str | None = None,
        among: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 50,
    ) -> DeliveryPage:
        """Return deliveries, newest first; ``among``: of these subscriptions alone."""
        query = select(*_COLUMNS).join(subscriptions).order_by(deliveries.c.id.desc()).limit(limit)
        if state is not None:
            query = query.where(deliveries.c.state == state)
        if subscription_id is not None:
            query = query.where(deliveries.c.subscription_id == subscription_id)
        if among is not None:
            query = query.where(deliveries.c.subscription_id.in_(among))
        if before is not None:
            query = query.where(deliveries.c.id < before)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        found = tuple(_delivery(row) for row in rows)
        return DeliveryPage(deliveries=found, before=rows[-1].id if len(rows) == limit else None)

    def get(self, delivery_id: str) -> Delivery:
        """Return a delivery with its events and attempts; raises NotFound."""

        def load(connection: Connection) -> Delivery:
            query = select(*_COLUMNS).join(subscriptions).where(deliveries.c.message_id == delivery_id)
            row = connection.execute(query).one_or_none()
            if row is None:
                raise NotFound(f"no delivery {delivery_id!r}: see `nlp-service deliveries list`")
            documents = connection.execute(
                select(outbox.c.document)
                .join(delivery_events, delivery_events.c.outbox_id == outbox.c.id)
                .where(delivery_events.c.delivery_id == row.id)
                .order_by(outbox.c.id)
            ).scalars()
            tried = connection.execute(
                select(attempts).where(attempts.c.delivery_id == row.id).order_by(attempts.c.number)
            )
            events = tuple(decode(document) for document in documents)
            return _delivery(row, events=events, attempts=tuple(_attempt(entry) for entry in tried))

        return self._database.read(load)

    def resend(self, delivery_id: str, *, by: str, at: datetime) -> None:
        """Open a dead delivery again, under the same id and with all its attempts ahead."""
        dead = (deliveries.c.message_id == delivery_id) & (deliveries.c.state == "dead")
        if self._reopen(dead, subject=f"delivery {delivery_id}", by=by, at=at):
            return
        state = self.get(delivery_id).state
        raise Conflict(f"delivery {delivery_id!r} is {state}: only a dead one is sent again")

    def resend_dead(self, *, subscription_id: str | None, by: str, at: datetime) -> int:
        """Open every dead delivery again, of one subscription or of all; samples stay."""
        dead = (deliveries.c.state == "dead") & (deliveries.c.form != "sample")
        subject = "dead deliveries of every subscription"
        if subscription_id is not None:
            dead &= deliveries.c.subscription_id == subscription_id
            subject = f"dead deliveries of subscription {subscription_id}"
        return self._reopen(dead, subject=subject, by=by, at=at)

    def backlog(self, *, now: datetime) -> tuple[Backlog, ...]:
        """Count what waits and what is dead by channel, samples left out."""
        is_open = deliveries.c.state == "open"
        overdue = is_open & (subscriptions.c.state != "paused")
        overdue &= or_(deliveries.c.attempts > 0, deliveries.c.due_at <= now)  # digests and quiet hours wait on purpose
        query = (
            select(
                subscriptions.c.channel,
                func.count().filter(is_open).label("open"),
                func.count().filter(deliveries.c.state == "dead").label("dead"),
                func.min(deliveries.c.created_at).filter(overdue).label("oldest"),
            )
            .join(subscriptions)
            .where(deliveries.c.state.in_(("open", "dead")), deliveries.c.form != "sample")
            .group_by(subscriptions.c.channel)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(Backlog(channel=row.channel, open=row.open, dead=row.dead, oldest=row.oldest) for row in rows)

    def _reopen(self, which: Any, *, subject: str, by: str, at: datetime) -> int:
        values = {"state": "open", "reason": "sent again by hand", "due_at": at, "failures": 0, "ended_at": None}
        statement = update(deliveries).where(which).values(**values, claim=None)

        def write(connection: Connection) -> int:
            count = connection.execute(statement).rowcount
            if count:
                detail = {"deliveries": count}
                append(
                    connection, AuditEntry(at=at, actor=by, action="delivery.resend", subject=subject, detail=detail)
                )
            return count

        return self._database.transaction(write)


def _delivery(row: Row[Any], **more: Any) -> Delivery:
    shown = {name: getattr(row, name) for name in _SHOWN}
    return Delivery(
        id=row.message_id,
        due_at=row.due_at,
        created_at=row.created_at,
        ended_at=row.ended_at,
        failures=row.failures,
        **shown,
        **more,
    )


def _attempt(row: Row[Any]) -> Attempt:
    return Attempt(
        number=row.number,
        started_at=row.started_at,
        ended_at=row.ended_at,
        outcome=row.outcome,
        status=row.status,
        code=row.code,
        detail=row.detail or "",
        verdict=row.verdict,
        because=row.because or "",
    )
