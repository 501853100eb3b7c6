"""Removing a customer's quotes from stored documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Column, Connection, Table, and_, select, update

from nlp_service.adapters.db.tables import messages
from nlp_service.core.erasure import without_quotes


def erase_quotes(table: Table, column: Column[object]) -> Callable[[Connection, Sequence[str]], int]:
    """Return a function that takes these messages' quotes out of a JSON column and counts the documents changed.

    It reads every document of the table: removing a customer is rare, and quotes know their message by text alone.
    """
    keys = list(table.primary_key.columns)

    def erase(connection: Connection, message_ids: Sequence[str]) -> int:
        query = select(messages.c.text).where(messages.c.id.in_(message_ids), messages.c.text != "")
        texts, ids = frozenset(connection.execute(query).scalars()), frozenset(message_ids)
        changed = 0
        for *key, document in connection.execute(select(*keys, column)).all():
            cleaned = without_quotes(document, texts, ids)
            if cleaned is not document:
                row = and_(*(own == value for own, value in zip(keys, key, strict=True)))
                connection.execute(update(table).where(row).values({column.name: cleaned}))
                changed += 1
        return changed

    return erase
