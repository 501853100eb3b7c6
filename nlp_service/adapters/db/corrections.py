"""People's corrections in the database: only added, each told in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, delete, exists, func, insert, select, text

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.columns import storable
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.review import queue_fields
from nlp_service.adapters.db.tables import corrections, labellings, messages, review_queue
from nlp_service.core.audit import AuditEntry, pseudonym
from nlp_service.core.corrections.precision import Judgement
from nlp_service.core.corrections.settle import settle, settle_all
from nlp_service.core.corrections.values import CorrectedLabels, Correction
from nlp_service.core.review.order import disputed_entry
from nlp_service.core.stored import Window
from nlp_service.errors import NotFound

PAGE = 500
_LOCK = 7_303_016  # on PostgreSQL, people who correct at the same moment take turns: each must see the others' labels


class Corrections:
    """ports.CorrectionStore on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, made: Correction, *, check: Callable[[Sequence[Correction], Correction], None] | None = None
    ) -> tuple[Correction, ...]:
        """Store a correction under a new id and tell the audit log; returns all of its message, oldest first.

        Args:
            made: its id is passed over.
            check: given the corrections before and this one, it may refuse by raising; in the same transaction.

        Raises:
            NotFound: the message is not stored.
        """
        message_id = storable(made.message_id)
        values = {
            "message_id": message_id,
            "made_by": made.by,
            "made_at": made.at,
            "why": made.why,
            "resolves": made.resolves,
            "labels": {name: _plain(label) for name, label in made.labels.given().items()},
        }

        def write(connection: Connection) -> tuple[Correction, ...]:
            if connection.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            if connection.execute(select(messages.c.id).where(messages.c.id == message_id)).first() is None:
                raise NotFound(f"no message {made.message_id!r} is stored, so it cannot be corrected")
            of_message = _of([made.message_id])
            if check is not None:
                check([_correction(row) for row in connection.execute(of_message)], made)
            connection.execute(insert(corrections).values(**values))
            append(connection, _told(made))
            after = tuple(_correction(row) for row in connection.execute(of_message))
            _queue(connection, message_id, after)
            return after

        return self._database.transaction(write)

    def of(self, message_ids: Sequence[str]) -> Mapping[str, tuple[Correction, ...]]:
        """Return the corrections of these messages, oldest first; a message without any is absent."""
        found: dict[str, tuple[Correction, ...]] = {}
        for start in range(0, len(message_ids), PAGE):
            query = _of(message_ids[start : start + PAGE])
            for row in self._rows(query):
                found[row.message_id] = (*found.get(row.message_id, ()), _correction(row))
        return found

    def page(
        self,
        *,
        message_id: str | None = None,
        by: str | None = None,
        departments: Collection[str] | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> tuple[Correction, ...]:
        """Return corrections, newest first.

        Args:
            message_id: only of this message.
            by: only of this person.
            departments: only of messages routed to one of these by their current labelling; None for no limit.
            before: id that the page before ended with.
            limit: at most so many.
        """
        query = select(corrections).order_by(corrections.c.id.desc()).limit(limit)
        if message_id is not None:
            query = query.where(corrections.c.message_id == message_id)
        if by is not None:
            query = query.where(corrections.c.made_by == by)
        if before is not None:
            query = query.where(corrections.c.id < before)
        if departments is not None:
            newest = select(func.max(labellings.c.id)).where(labellings.c.message_id == corrections.c.message_id)
            current = labellings.alias("current")
            routed = current.c.department.in_(sorted(departments))
            query = query.where(exists().where(current.c.id == newest.scalar_subquery(), routed))
        return tuple(_correction(row) for row in self._rows(query))

    def everything(self, *, page: int = PAGE) -> Iterator[tuple[Correction, ...]]:
        """Stream the corrections of all messages, those of one message together, a page of messages a transaction."""
        after = ""
        while True:
            ids = select(corrections.c.message_id).where(corrections.c.message_id > after).distinct()
            chosen = [row.message_id for row in self._rows(ids.order_by(corrections.c.message_id).limit(page))]
            if not chosen:
                return
            yield from self.of(chosen).values()
            after = chosen[-1]

    def contested(self) -> tuple[Correction, ...]:
        """Return the corrections of every message that two or more people labelled."""
        several = (
            select(corrections.c.message_id)
            .group_by(corrections.c.message_id)
            .having(func.count(func.distinct(corrections.c.made_by)) > 1)
        )
        query = select(corrections).where(corrections.c.message_id.in_(several)).order_by(corrections.c.id)
        return tuple(_correction(row) for row in self._rows(query))

    def made_in(self, window: Window) -> tuple[Correction, ...]:
        """Return the corrections of messages that occurred in a window, oldest first."""
        query = (
            select(corrections)
            .join(messages, messages.c.id == corrections.c.message_id)
            .where(messages.c.occurred_at >= window.start, messages.c.occurred_at < window.end)
            .order_by(corrections.c.id)
        )
        return tuple(_correction(row) for row in self._rows(query))

    def judgements(self, window: Window, *, version: str) -> tuple[Judgement, ...]:
        """Return what people said of a window's messages beside what one model version said of them."""
        settled = settle_all(self.made_in(window))
        keys = list(settled)
        columns = (messages.c.id, messages.c.text_hash, labellings.c.intent, labellings.c.sentiment,
                   labellings.c.emotion, labellings.c.priority)  # fmt: skip
        found: list[Judgement] = []
        for start in range(0, len(keys), PAGE):
            chosen = messages.c.id.in_(keys[start : start + PAGE])
            query = select(*columns).join(messages, messages.c.id == labellings.c.message_id)
            for row in self._rows(query.where(chosen, labellings.c.model_version == version)):
                said = {name: getattr(row, name) for name in ("intent", "sentiment", "emotion", "priority")}
                found.append(Judgement(text_hash=row.text_hash, said=said, right=settled[row.id].labels))
        return tuple(found)

    def first_texts(self, window: Window, *, limit: int) -> tuple[str, ...]:
        """Return the first distinct text hashes of a window, in their order, which is random."""
        inside = (messages.c.occurred_at >= window.start, messages.c.occurred_at < window.end)
        query = select(messages.c.text_hash).where(*inside).distinct().order_by(messages.c.text_hash).limit(limit)
        return tuple(row.text_hash for row in self._rows(query))

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        return self._database.read(lambda connection: connection.execute(query).all())


def _queue(connection: Connection, message_id: str, after: Sequence[Correction]) -> None:
    """Take a message that was corrected out of the queue; one that people now disagree about goes to its head."""
    connection.execute(delete(review_queue).where(review_queue.c.message_id == message_id))
    if not settle(after).disputed:
        return
    newest = select(labellings.c.department).where(labellings.c.message_id == message_id)
    department = connection.execute(newest.order_by(labellings.c.id.desc()).limit(1)).scalar()
    entry = disputed_entry(message_id, department or "")
    connection.execute(insert(review_queue).values(**queue_fields(entry, -1, after[-1].at)))


def _of(message_ids: Sequence[str]) -> Select[Any]:
    chosen = corrections.c.message_id.in_([storable(key) for key in message_ids])
    return select(corrections).where(chosen).order_by(corrections.c.id)


def _plain(label: str | tuple[str, ...]) -> str | list[str]:
    return list(label) if isinstance(label, tuple) else label


def _correction(row: Row[Any]) -> Correction:
    labels: dict[str, Any] = {
        name: tuple(label) if isinstance(label, list) else label for name, label in row.labels.items()
    }
    return Correction(
        id=row.id,
        message_id=row.message_id,
        by=row.made_by,
        at=row.made_at,
        labels=CorrectedLabels(**labels),
        why=row.why,
        resolves=row.resolves,
    )


def _told(made: Correction) -> AuditEntry:
    fields = ", ".join(made.labels.given())
    action = "correction.resolve" if made.resolves else "correction.add"
    subject = pseudonym("message", made.message_id)
    return AuditEntry(at=made.at, actor=made.by, action=action, subject=subject, detail={"fields": fields})
