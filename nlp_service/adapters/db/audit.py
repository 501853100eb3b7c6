"""The audit log in the database: appended within the transaction of the change that it tells of."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, text

from nlp_service.adapters.db.columns import storable
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import audit_anchor, audit_log
from nlp_service.core.audit import GENESIS, AuditEntry, ChainedEntry, Verdict, canonical_detail, chain_hash, verify

_LOCK = 7_303_015  # appending replicas take turns on PostgreSQL; SQLite has one writer anyway
_PAGE = 5000


def append(connection: Connection, entry: AuditEntry) -> ChainedEntry:
    """Add an entry at the end of the chain, in the caller's transaction."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    last = _last(connection)
    entry = AuditEntry(
        at=entry.at,
        actor=storable(entry.actor),
        action=entry.action,
        subject=storable(entry.subject),
        detail=entry.detail,
    )
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    chained = ChainedEntry(sequence=sequence, entry=entry, hash=chain_hash(previous, sequence, entry))
    connection.execute(
        insert(audit_log).values(
            sequence=sequence,
            at=entry.at,
            actor=entry.actor,
            action=entry.action,
            subject=entry.subject,
            detail=canonical_detail(entry.detail),
            hash=chained.hash,
        )
    )
    return chained


class AuditLog:
    """Recording, reading, checking and, years later, shortening the log."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, entry: AuditEntry) -> Future[ChainedEntry]:
        """Append an entry that stands alone, such as a read of personal data."""
        return self._database.write(lambda connection: append(connection, entry))

    def entries(
        self, *, subject: str | None = None, before: int | None = None, limit: int = 100
    ) -> tuple[ChainedEntry, ...]:
        """Return entries, newest first; ``before`` is the sequence that the page before ended with."""
        query = select(audit_log).order_by(audit_log.c.sequence.desc()).limit(limit)
        if subject is not None:
            query = query.where(audit_log.c.subject == subject)
        if before is not None:
            query = query.where(audit_log.c.sequence < before)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_chained(row) for row in rows)

    def verify(self) -> Verdict:
        """Check the whole chain, from where retention left it."""
        anchor = self._database.read(_anchor)
        after, previous = (anchor.sequence, anchor.hash) if anchor else (0, GENESIS)
        return verify(self._walk(after), after=after, previous=previous)

    def contains(self, entry_hash: str) -> bool:
        """Tell whether an entry with this hash is there, or stood where retention cut the log."""
        query = select(audit_log.c.sequence).where(audit_log.c.hash == entry_hash)
        cut = select(audit_anchor.c.sequence).where(audit_anchor.c.hash == entry_hash)
        return self._database.read(lambda connection: connection.execute(query.union_all(cut)).first()) is not None

    def forget_before(self, moment: datetime) -> Future[int]:
        """Remove the entries older than a moment, but the last; what remains still verifies."""

        def shorten(connection: Connection) -> int:
            newest = select(func.max(audit_log.c.sequence)).scalar_subquery()
            old = select(audit_log.c.sequence, audit_log.c.hash).where(
                audit_log.c.at < moment, audit_log.c.sequence < newest
            )
            # The clock may have jumped: only an unbroken beginning of the chain goes.
            kept = select(func.min(audit_log.c.sequence)).where(audit_log.c.at >= moment).scalar_subquery()
            old = old.where(audit_log.c.sequence < func.coalesce(kept, newest))
            last = connection.execute(old.order_by(audit_log.c.sequence.desc()).limit(1)).one_or_none()
            if last is None:
                return 0
            connection.execute(delete(audit_anchor))
            connection.execute(insert(audit_anchor).values(sequence=last.sequence, hash=last.hash))
            return connection.execute(delete(audit_log).where(audit_log.c.sequence <= last.sequence)).rowcount

        return self._database.write(shorten)

    def _walk(self, after: int) -> Iterator[ChainedEntry]:
        while True:
            query = select(audit_log).where(audit_log.c.sequence > after).order_by(audit_log.c.sequence).limit(_PAGE)
            rows = self._database.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
            yield from (_chained(row) for row in rows)
            if len(rows) < _PAGE:
                return
            after = rows[-1].sequence


def _last(connection: Connection) -> Any:
    """Return the row with sequence and hash at the chain's end, None for a chain without any entry."""
    query = select(audit_log.c.sequence, audit_log.c.hash).order_by(audit_log.c.sequence.desc()).limit(1)
    last = connection.execute(query).one_or_none()
    return _anchor(connection) if last is None else last


def _anchor(connection: Connection) -> Any:
    return connection.execute(select(audit_anchor).order_by(audit_anchor.c.sequence.desc()).limit(1)).one_or_none()


def _chained(row: Row[Any]) -> ChainedEntry:
    entry = AuditEntry(
        at=row.at, actor=row.actor, action=row.action, subject=row.subject, detail=json.loads(row.detail)
    )
    return ChainedEntry(sequence=row.sequence, entry=entry, hash=row.hash)
