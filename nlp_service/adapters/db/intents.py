"""Labels that people changed: provisional intents, and intents that were renamed or merged."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, literal, select, update

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.counting import INTENT
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import labellings
from nlp_service.adapters.db.tables.counts import count_changes, hourly_counts
from nlp_service.adapters.db.tables.learning import label_moves, provisional_intents
from nlp_service.core.audit import AuditEntry
from nlp_service.core.label_moves import LabelMove
from nlp_service.core.provisional import ProvisionalIntent
from nlp_service.errors import Conflict, NotFound

_SUMS = ("messages", "negative", "urgent", "human")


class Intents:
    """Provisional intents and moves; every change is told to the audit log in its own transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def revision(self) -> tuple[int, int, datetime | None]:
        """Return something that differs whenever an intent was added, removed or moved."""
        query = select(
            select(func.count()).select_from(provisional_intents).scalar_subquery(),
            select(func.count()).select_from(label_moves).scalar_subquery(),
            select(func.max(provisional_intents.c.created_at)).scalar_subquery(),
        )
        row = self._database.read(lambda connection: connection.execute(query).one())
        return int(row[0]), int(row[1]), row[2]

    def provisional(self) -> tuple[ProvisionalIntent, ...]:
        """Return the provisional intents, oldest first."""
        query = select(provisional_intents).order_by(provisional_intents.c.created_at, provisional_intents.c.id)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_intent(row) for row in rows)

    def add(self, intent: ProvisionalIntent) -> None:
        """Store an intent; raises Conflict where the id is taken."""
        document = {
            "names": dict(intent.names),
            "group": intent.group,
            "department": intent.department,
            "examples": list(intent.examples),
        }

        def write(connection: Connection) -> None:
            taken = select(provisional_intents.c.id).where(provisional_intents.c.id == intent.id)
            if connection.execute(taken).first() is not None:
                raise Conflict(f"intent {intent.id!r} exists already: remove it first, or take another id")
            values = {"created_at": intent.created_at, "created_by": intent.created_by}
            connection.execute(insert(provisional_intents).values(id=intent.id, document=document, **values))
            detail = {"examples": len(intent.examples), "department": intent.department}
            _tell(connection, "intent.add", intent.id, by=intent.created_by, at=intent.created_at, detail=detail)

        self._database.transaction(write)

    def remove(self, intent_id: str, *, by: str, at: datetime) -> None:
        """Remove a provisional intent; what was labelled with it stays. Raises NotFound."""

        def write(connection: Connection) -> None:
            gone = connection.execute(delete(provisional_intents).where(provisional_intents.c.id == intent_id))
            if gone.rowcount != 1:
                raise NotFound(f"there is no provisional intent {intent_id!r}")
            _tell(connection, "intent.remove", intent_id, by=by, at=at, detail={})

        self._database.transaction(write)

    def moves(self) -> tuple[LabelMove, ...]:
        """Return renames and merges in the order in which they apply."""
        rows = self._database.read(lambda connection: connection.execute(_MOVES).all())
        return tuple(_move(row) for row in rows)

    def move(self, move: LabelMove) -> int:
        """Keep a move and apply it to stored labellings and counts; returns how many labellings it concerns.

        What the model said stays in each labelling's document; the columns that reports read say the new name.
        """

        def write(connection: Connection) -> int:
            values = {name: getattr(move, name) for name in ("kind", "old", "new", "why", "moved_at", "moved_by")}
            connection.execute(insert(label_moves).values(**values))
            moved = connection.execute(
                update(labellings).where(labellings.c.intent == move.old).values(intent=move.new)
            ).rowcount
            _move_counts(connection, move.old, move.new)
            detail = {"new": move.new, "why": move.why, "labellings": moved}
            _tell(connection, f"intent.{move.kind}", move.old, by=move.moved_by, at=move.moved_at, detail=detail)
            return moved

        return self._database.transaction(write)


_MOVES = select(label_moves).order_by(label_moves.c.id)


def _move_counts(connection: Connection, old: str, new: str) -> None:
    """Add changes that take folded counts from one intent and give them to another; unfolded ones are renamed.

    Folding brings the changes into the counts by day too.
    """
    open_ = (count_changes.c.dimension == INTENT, count_changes.c.value == old)
    connection.execute(update(count_changes).where(*open_).values(value=new))  # before those below are added
    concerned = (hourly_counts.c.dimension == INTENT, hourly_counts.c.value == old)
    columns = ["dimension", "hour", "department", "value", *_SUMS]
    for value, sign in ((old, -1), (new, 1)):
        sums = [hourly_counts.c[name] * sign for name in _SUMS]
        key = (hourly_counts.c.dimension, hourly_counts.c.hour, hourly_counts.c.department, literal(value))
        connection.execute(insert(count_changes).from_select(columns, select(*key, *sums).where(*concerned)))


def _tell(
    connection: Connection, action: str, subject: str, *, by: str, at: datetime, detail: Mapping[str, Any]
) -> None:
    append(connection, AuditEntry(at=at, actor=by, action=action, subject=subject, detail=detail))


def _intent(row: Row[Any]) -> ProvisionalIntent:
    document = row.document
    return ProvisionalIntent(
        id=row.id,
        names=document["names"],
        group=document["group"],
        department=document["department"],
        examples=tuple(document["examples"]),
        created_at=row.created_at,
        created_by=row.created_by,
    )


def _move(row: Row[Any]) -> LabelMove:
    return LabelMove(kind=row.kind, old=row.old, new=row.new, why=row.why, moved_at=row.moved_at, moved_by=row.moved_by)
