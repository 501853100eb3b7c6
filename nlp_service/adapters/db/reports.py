"""Counts for the pages, read off the counts by hour."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from sqlalchemy import func, select

from nlp_service.adapters.db.counting import ALL, CHANNEL, FIGURES, INTENT, counted
from nlp_service.adapters.db.database import Database
from nlp_service.core.stored import GroupCount, HourCount, Window


class Reports:
    """ports.Reports on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hours(self, window: Window, *, departments: Collection[str] | None = None) -> tuple[HourCount, ...]:
        """Count current labellings by hour, ascending; an hour without any is absent."""
        rows = self._rows(ALL, ("hour",), window, departments)
        return tuple(HourCount(**row) for row in rows)

    def channels(self, window: Window) -> tuple[GroupCount, ...]:
        """Count current labellings by department and channel."""
        rows = self._rows(CHANNEL, ("department", "value"), window)
        return tuple(GroupCount(**{**row, "value": row["value"] or None}) for row in rows)

    def intents(self, window: Window) -> tuple[GroupCount, ...]:
        """Count current labellings by department and intent."""
        return tuple(GroupCount(**row) for row in self._rows(INTENT, ("department", "value"), window))

    def _rows(
        self, dimension: str, keys: tuple[str, ...], window: Window, departments: Collection[str] | None = None
    ) -> list[dict[str, Any]]:
        found = counted(dimension, window, departments)
        grouped = [found.c[key] for key in keys]
        sums = [func.sum(found.c[name]).label(name) for name in FIGURES]
        query = select(*grouped, *sums).group_by(*grouped).having(func.sum(found.c.messages) != 0).order_by(*grouped)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return [{**row._asdict(), **{name: int(getattr(row, name)) for name in FIGURES}} for row in rows]
