"""All that is stored of a customer: given out on request, and removed without a trace but the proof of it.

Another area whose tables hold data of a customer adds them to ``PERSONAL_TABLES``; rows that refer to a message with
ON DELETE CASCADE go with the message and need only be exported. A test walks over all tables and names a forgotten one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from sqlalchemy import Connection, Table, select

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.columns import insert_new
from nlp_service.adapters.db.counting import remove
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import raw_text_owner
from nlp_service.adapters.db.quotes import erase_quotes
from nlp_service.adapters.db.tables import (
    corrections,
    erased_messages,
    labellings,
    messages,
    outbox,
    review_queue,
    shadow_answers,
    theme_events,
    theme_members,
    theme_windows,
    themes,
)
from nlp_service.core.audit import AuditEntry, pseudonym
from nlp_service.errors import NotFound
from nlp_service.ports import Sealer

BATCH = 500  # messages removed in one transaction


@dataclass(frozen=True, kw_only=True)
class PersonalTable:
    """What one area does for a customer who asks."""

    table: Table
    export: Callable[[Connection, Sequence[str]], list[dict[str, Any]]] | None  # rows of these messages, for JSON
    erase: Callable[[Connection, Sequence[str]], int] | None = None  # for rows that do not go with their message


@dataclass(frozen=True, kw_only=True)
class Erased:
    messages: int
    rows: Mapping[str, int]  # further rows by table


def rows_by_message(table: Table, *, leave_out: Sequence[str] = ()) -> Callable[..., list[dict[str, Any]]]:
    """Return an export of the rows of ``table`` by its column ``message_id``."""
    columns = [column for column in table.c if column.name not in leave_out]

    def export(connection: Connection, message_ids: Sequence[str]) -> list[dict[str, Any]]:
        query = select(*columns).where(table.c.message_id.in_(message_ids)).order_by(*table.primary_key.columns)
        return [_plain(row._asdict()) for row in connection.execute(query)]

    return export


PERSONAL_TABLES: tuple[PersonalTable, ...] = (
    PersonalTable(table=labellings, export=rows_by_message(labellings, leave_out=("embedding",))),
    PersonalTable(table=theme_members, export=rows_by_message(theme_members)),
    PersonalTable(table=corrections, export=rows_by_message(corrections)),
    PersonalTable(table=review_queue, export=rows_by_message(review_queue)),
    PersonalTable(table=shadow_answers, export=rows_by_message(shadow_answers)),
    *(
        PersonalTable(table=table, export=None, erase=erase_quotes(table, table.c.document))
        for table in (themes, theme_windows, theme_events, outbox)
    ),
)


def _now() -> datetime:
    return datetime.now(UTC)


class Customers:
    """Export and removal; both are told in the audit log under a pseudonym of the customer."""

    def __init__(
        self,
        database: Database,
        *,
        tables: Sequence[PersonalTable] = PERSONAL_TABLES,
        sealer: Sealer | None = None,  # opens the text as it was sent, where it was kept
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._tables = tables
        self._sealer = sealer
        self._clock = clock

    def export(self, customer_id: str, *, by: str) -> dict[str, Any]:
        """Return everything stored of a customer as plain values for JSON; raises NotFound."""

        def collect(connection: Connection) -> dict[str, Any]:
            query = select(messages).where(messages.c.customer_id == customer_id).order_by(messages.c.occurred_at)
            found = [self._unsealed(row._asdict()) for row in connection.execute(query)]
            ids = [row["id"] for row in found]
            export: dict[str, Any] = {"customer_id": customer_id, "messages": found}
            for personal in self._tables:
                if personal.export is None:
                    continue
                pages = (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
                export[str(personal.table.name)] = [row for page in pages for row in personal.export(connection, page)]
            return export

        collected = self._database.read(collect)
        if not collected["messages"]:
            raise NotFound(f"nothing is stored of customer {customer_id!r}")
        entry = self._entry(by, "customer.export", customer_id, {"messages": len(collected["messages"])})
        self._database.transaction(lambda connection: append(connection, entry))
        return collected

    def erase(self, customer_id: str, *, by: str) -> Erased:
        """Remove a customer's messages and all that refers to them; carries on where a kill stopped it.

        The hash of each message id is kept, so that corpora and models made from them can be marked.

        Raises:
            NotFound: nothing is stored of this customer.
        """
        erased = Erased(messages=0, rows={})
        while (step := self._database.transaction(partial(self._erase_batch, customer_id, by))) is not None:
            rows = {name: count + erased.rows.get(name, 0) for name, count in step.rows.items()}
            erased = Erased(messages=erased.messages + step.messages, rows=rows)
        if erased.messages == 0:
            raise NotFound(f"nothing is stored of customer {customer_id!r}")
        return erased

    def erased_among(self, message_ids: Sequence[str]) -> frozenset[str]:
        """Return those of these messages, of a corpus say, that were removed at a customer's wish."""
        by_hash = {pseudonym("message", message_id): message_id for message_id in message_ids}
        hashes = list(by_hash)
        found: set[str] = set()
        for start in range(0, len(hashes), BATCH):
            column = erased_messages.c.message_hash
            query = select(column).where(column.in_(hashes[start : start + BATCH]))
            found.update(self._database.read(lambda connection, query=query: connection.execute(query).scalars().all()))  # type: ignore[misc]
        return frozenset(by_hash[key] for key in found)

    def _erase_batch(self, customer_id: str, by: str, connection: Connection) -> Erased | None:
        query = select(messages.c.id).where(messages.c.customer_id == customer_id).limit(BATCH)
        ids = list(connection.execute(query).scalars())
        if not ids:
            return None
        rows = {personal.table.name: personal.erase(connection, ids) for personal in self._tables if personal.erase}
        marks = [{"message_hash": pseudonym("message", key), "erased_at": self._clock()} for key in ids]
        connection.execute(insert_new(erased_messages, connection.dialect.name), marks)
        remove(connection, ids)
        append(connection, self._entry(by, "customer.erase", customer_id, {"messages": len(ids), **rows}))
        return Erased(messages=len(ids), rows=rows)

    def _entry(self, by: str, action: str, customer_id: str, detail: Mapping[str, int]) -> AuditEntry:
        subject = pseudonym("customer", customer_id)
        return AuditEntry(at=self._clock(), actor=by, action=action, subject=subject, detail=detail)

    def _unsealed(self, fields: dict[str, Any]) -> dict[str, Any]:
        sealed = fields.pop("raw_text")
        if sealed is not None and self._sealer is not None:
            fields["raw_text"] = self._sealer.open(bytes(sealed), belongs_to=raw_text_owner(fields["id"])).decode()
        return _plain(fields)


def _plain(fields: dict[str, Any]) -> dict[str, Any]:
    """Return values and keys of the plain types that any JSON encoder takes."""
    return {
        str(key): value.isoformat() if isinstance(value, date | datetime) else value for key, value in fields.items()
    }
