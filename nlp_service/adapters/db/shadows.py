"""Shadows and what they said, in the database; answers go with their message when that is erased."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.columns import insert_new, storable
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import messages, shadow_answers, shadows
from nlp_service.core.audit import AuditEntry
from nlp_service.core.shadow import Shadow, differs
from nlp_service.errors import Conflict, NotFound

LIMIT = 100_000  # newest answers of a comparison
Opinion = Mapping[str, Any]


class Shadows:
    """At most one shadow runs; starting another ends it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def running(self) -> Shadow | None:
        query = select(shadows).where(shadows.c.ended_at.is_(None)).order_by(shadows.c.id.desc()).limit(1)
        row = self._database.read(lambda connection: connection.execute(query).first())
        return None if row is None else _shadow(row)

    def newest(self, version: str | None = None) -> Shadow:
        """Return the newest shadow, of a version where one is named; raises NotFound."""
        query = select(shadows).order_by(shadows.c.id.desc()).limit(1)
        if version is not None:
            query = query.where(shadows.c.version == version)
        row = self._database.read(lambda connection: connection.execute(query).first())
        if row is None:
            raise NotFound("no shadow has run" + ("" if version is None else f" of version {version!r}"))
        return _shadow(row)

    def start(self, version: str, share: float, *, by: str, at: datetime) -> Shadow:
        """Let a version see a share of the messages from now on."""

        def write(connection: Connection) -> Shadow:
            connection.execute(update(shadows).where(shadows.c.ended_at.is_(None)).values(ended_at=at))
            values = {"version": version, "share": share, "started_at": at, "started_by": by}
            row = connection.execute(insert(shadows).values(**values).returning(shadows)).one()
            append(
                connection,
                AuditEntry(at=at, actor=by, action="model.shadow", subject=version, detail={"share": f"{share:g}"}),
            )
            return _shadow(row)

        return self._database.transaction(write)

    def stop(self, *, by: str, at: datetime) -> None:
        """End the running shadow; raises Conflict where none runs."""

        def write(connection: Connection) -> None:
            ended = connection.execute(update(shadows).where(shadows.c.ended_at.is_(None)).values(ended_at=at))
            if not ended.rowcount:
                raise Conflict("no shadow is running")
            append(connection, AuditEntry(at=at, actor=by, action="model.shadow_off", subject="shadow", detail={}))

        self._database.transaction(write)

    def keep(self, shadow: Shadow, answers: Sequence[tuple[str, Opinion, Opinion]], *, at: datetime) -> None:
        """Store (message id, what was sent, what the shadow said); a message that is gone meanwhile is passed over."""
        rows = [
            {
                "shadow_id": shadow.id,
                "message_id": storable(message_id),
                "answered_at": at,
                "changed": differs(sent, said),
                "document": {"sent": dict(sent), "shadow": dict(said)},
            }
            for message_id, sent, said in answers
        ]

        def write(connection: Connection) -> None:
            wanted = [row["message_id"] for row in rows]
            there = set(connection.execute(select(messages.c.id).where(messages.c.id.in_(wanted))).scalars())
            kept = [row for row in rows if row["message_id"] in there]
            if kept:
                connection.execute(insert_new(shadow_answers, connection.dialect.name), kept)

        self._database.transaction(write)

    def answers(self, shadow: Shadow) -> list[tuple[Opinion, Opinion]]:
        """Return the newest (what was sent, what the shadow said)."""
        query = select(shadow_answers.c.document).where(shadow_answers.c.shadow_id == shadow.id)
        query = query.order_by(shadow_answers.c.answered_at.desc()).limit(LIMIT)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [(row.document["sent"], row.document["shadow"]) for row in rows]

    def count(self, shadow: Shadow) -> int:
        query = select(func.count()).select_from(shadow_answers).where(shadow_answers.c.shadow_id == shadow.id)
        return int(self._database.read(lambda connection: connection.execute(query).scalar_one()))


def _shadow(row: Row[Any]) -> Shadow:
    return Shadow(
        id=row.id,
        version=row.version,
        share=row.share,
        started_at=row.started_at,
        started_by=row.started_by,
        ended_at=row.ended_at,
    )
