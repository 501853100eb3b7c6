"""The review queue in the database: filled as a whole, read in pieces."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, func, insert, select, text

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import corrections, labellings, messages, review_queue
from nlp_service.core.review.values import QueuedEntry, ReviewEntry, ReviewReason
from nlp_service.core.stored import Window

_LOCK = 7_303_017  # replicas that fill the queue at the same moment take turns on PostgreSQL


class ReviewQueue:
    """ports.ReviewStore on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def fill(self, entries: Sequence[ReviewEntry], *, at: datetime) -> int:
        """Put these entries in place of the ones before; returns how many. Messages removed meanwhile are left out."""

        def write(connection: Connection) -> int:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            connection.execute(delete(review_queue))
            ids = [entry.message_id for entry in entries]
            stored = set(connection.execute(select(messages.c.id).where(messages.c.id.in_(ids))).scalars())
            kept = [entry for entry in entries if entry.message_id in stored]
            if kept:
                connection.execute(insert(review_queue), [queue_fields(entry, i, at) for i, entry in enumerate(kept)])
            return len(kept)

        return self._database.transaction(write)

    def entries(
        self, *, departments: Collection[str] | None = None, not_by: str | None = None, limit: int = 50
    ) -> tuple[QueuedEntry, ...]:
        """Return what waits, what teaches most first.

        Args:
            departments: only messages routed to these; None for no limit.
            not_by: leave out what this person has labelled already.
            limit: at most so many.
        """
        query = select(review_queue).order_by(review_queue.c.place).limit(limit)
        if departments is not None:
            query = query.where(review_queue.c.department.in_(sorted(departments)))
        if not_by is not None:
            same = corrections.c.message_id == review_queue.c.message_id
            query = query.where(~exists().where(same, corrections.c.made_by == not_by))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_queued(row) for row in rows)

    def filled_at(self) -> datetime | None:
        """Return when the queue was filled, None while it is empty."""
        query = select(func.max(review_queue.c.filled_at))
        return self._database.read(lambda connection: connection.execute(query).scalar())

    def sample(self, window: Window, *, limit: int) -> tuple[tuple[str, str], ...]:
        """Return (message, department) of texts that nobody has judged, in the random order of their hashes.

        One message stands for all of equal text.
        """
        inside = (messages.c.occurred_at >= window.start, messages.c.occurred_at < window.end)
        judged = (
            select(messages.c.text_hash).join(corrections, corrections.c.message_id == messages.c.id).where(*inside)
        )
        query = (
            select(func.min(messages.c.id).label("id"))
            .where(*inside, messages.c.text_hash.not_in(judged.where(*inside)))
            .group_by(messages.c.text_hash)
            .order_by(messages.c.text_hash)
            .limit(limit)
        )
        return self._with_departments([row.id for row in self._rows(query)])

    def departments(self, message_ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
        """Return (message, department) by the newest labelling of each, in the order given."""
        return self._with_departments(message_ids)

    def _with_departments(self, ids: Sequence[str]) -> tuple[tuple[str, str], ...]:
        query = select(labellings.c.message_id, labellings.c.department)
        rows = self._rows(query.where(labellings.c.message_id.in_(list(ids))).order_by(labellings.c.id))
        newest = {row.message_id: row.department for row in rows}
        return tuple((key, newest[key]) for key in ids if key in newest)

    def _rows(self, query: Any) -> Sequence[Row[Any]]:
        return self._database.read(lambda connection: connection.execute(query).all())


def queue_fields(entry: ReviewEntry, place: int, at: datetime) -> dict[str, Any]:
    """Return the row of an entry."""
    return {
        "message_id": entry.message_id,
        "place": place,
        "score": entry.score,
        "department": entry.department,
        "reasons": [
            [reason.kind, round(reason.strength, 4), reason.because, dict(reason.figures)] for reason in entry.reasons
        ],
        "filled_at": at,
    }


def _queued(row: Row[Any]) -> QueuedEntry:
    reasons = tuple(
        ReviewReason(kind=kind, strength=strength, because=why, figures=figures)
        for kind, strength, why, figures in row.reasons
    )
    entry = ReviewEntry(message_id=row.message_id, department=row.department, score=row.score, reasons=reasons)
    return QueuedEntry(entry=entry, place=row.place, filled_at=row.filled_at)
