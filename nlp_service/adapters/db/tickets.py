"""Which issue of a team's tracker stands for which theme."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import subscriptions, tickets
from nlp_service.core.delivery.records import Ticket


class Tickets:
    """ports.TicketStore on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, subscription_id: str, theme_id: str) -> Ticket | None:
        """Return the ticket of a theme."""
        query = select(tickets).where(_own(subscription_id, theme_id))
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        return None if row is None else _ticket(row)

    def keep(self, ticket: Ticket, *, at: datetime) -> None:
        """Store or change a ticket."""
        values = {"issue": ticket.issue, "state": ticket.state}
        own = _own(ticket.subscription_id, ticket.theme_id)

        def write(connection: Connection) -> None:
            if not connection.execute(update(tickets).where(own).values(**values)).rowcount:
                keys = {"subscription_id": ticket.subscription_id, "theme_id": ticket.theme_id, "created_at": at}
                connection.execute(insert(tickets).values(**values, **keys))

        self._database.transaction(write)

    def open_tickets(self) -> tuple[Ticket, ...]:
        """Return every open ticket of an active subscription."""
        query = (
            select(tickets)
            .join(subscriptions)
            .where(tickets.c.state == "open", subscriptions.c.state == "active")
            .order_by(tickets.c.subscription_id, tickets.c.theme_id)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_ticket(row) for row in rows)


def _own(subscription_id: str, theme_id: str) -> Any:
    return (tickets.c.subscription_id == subscription_id) & (tickets.c.theme_id == theme_id)


def _ticket(row: Row[Any]) -> Ticket:
    return Ticket(subscription_id=row.subscription_id, theme_id=row.theme_id, issue=row.issue, state=row.state)
