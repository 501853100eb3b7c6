"""Saved policies in the database: only added, the newest in force."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables.policies import policies
from nlp_service.core.audit import AuditEntry
from nlp_service.core.policy.saved import SavedPolicy
from nlp_service.errors import Conflict, NotFound


class Policies:
    """Saved policies; what is saved was checked against the taxonomy by the caller."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self) -> SavedPolicy | None:
        found = self.all(limit=1)
        return found[0] if found else None

    def all(self, *, limit: int = 50) -> tuple[SavedPolicy, ...]:
        """Return saved policies, newest first."""
        query = select(policies).order_by(policies.c.version.desc()).limit(limit)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_saved(row) for row in rows)

    def get(self, version: int) -> SavedPolicy:
        """Return one version; raises NotFound."""
        query = select(policies).where(policies.c.version == version)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"no policy was saved as version {version}")
        return _saved(row)

    def save(self, text: str, *, by: str, at: datetime, after: int | None) -> SavedPolicy:
        """Add a policy and tell the audit log; returns after the commit.

        Args:
            text: YAML, valid.
            by: Principal.id.
            at: aware.
            after: the version that it was written from, None for none saved; raises Conflict where another was saved
                meanwhile.
        """

        def write(connection: Connection) -> SavedPolicy:
            newest = connection.execute(select(func.max(policies.c.version))).scalar()
            if newest != after:
                raise Conflict(f"policy version {newest} was saved meanwhile: read it, then save again")
            version = (newest or 0) + 1
            connection.execute(insert(policies).values(version=version, text=text, saved_by=by, saved_at=at))
            append(connection, AuditEntry(at=at, actor=by, action="policy.save", subject=f"policy {version}"))
            return SavedPolicy(version=version, text=text, saved_by=by, saved_at=at)

        return self._database.transaction(write)


def _saved(row: Row[Any]) -> SavedPolicy:
    return SavedPolicy(version=row.version, text=row.text, saved_by=row.saved_by, saved_at=row.saved_at)
