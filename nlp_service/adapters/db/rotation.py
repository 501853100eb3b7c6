"""After a new encryption key was put first: seal again what lies under an older one.

Another area adds its sealed columns to ``SEALED``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import Column, Connection, select, update

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import raw_text_owner
from nlp_service.adapters.db.subscriptions import target_owner
from nlp_service.adapters.db.tables import messages, subscriptions
from nlp_service.ports import Sealer

BATCH = 200  # rows in one transaction


@dataclass(frozen=True, kw_only=True)
class SealedColumn:
    key: Column[Any]  # primary key
    value: Column[Any]  # sealed bytes, or NULL
    belongs_to: Callable[[Any], str]  # key -> what the value is sealed to


SEALED: tuple[SealedColumn, ...] = (
    SealedColumn(key=messages.c.id, value=messages.c.raw_text, belongs_to=raw_text_owner),
    SealedColumn(key=subscriptions.c.id, value=subscriptions.c.target, belongs_to=target_owner),
)


def rotate(database: Database, sealer: Sealer, *, columns: Sequence[SealedColumn] = SEALED) -> int:
    """Return how many values were sealed again; a kill in between leaves both keys in use, and a second run ends it.

    Raises:
        ConfigurationError: a value lies under a key that is not configured any more.
    """
    return sum(_rotate_column(database, sealer, column) for column in columns)


def _rotate_column(database: Database, sealer: Sealer, column: SealedColumn) -> int:
    query = select(column.key, column.value).where(column.value.is_not(None)).order_by(column.key).limit(BATCH)
    page, total = query, 0
    while rows := database.read(partial(_fetch, page)):
        old = [(key, bytes(value)) for key, value in rows if not sealer.is_current(bytes(value))]
        if old:
            database.transaction(partial(_seal_again, sealer, column, old))
        total += len(old)
        page = query.where(column.key > rows[-1][0])
    return total


def _fetch(query: Any, connection: Connection) -> Sequence[Any]:
    return connection.execute(query).all()


def _seal_again(sealer: Sealer, column: SealedColumn, old: Sequence[tuple[Any, bytes]], connection: Connection) -> None:
    for key, value in old:
        owner = column.belongs_to(key)
        sealed = sealer.seal(sealer.open(value, belongs_to=owner), belongs_to=owner)
        # Only where the value is still the one that was read: it may have been removed or changed meanwhile.
        unchanged = (column.key == key) & (column.value == value)
        connection.execute(update(column.key.table).where(unchanged).values({column.value.name: sealed}))
