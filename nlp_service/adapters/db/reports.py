"""Counts for the pages that the message store does not give."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import case, func

from nlp_service.adapters.db.columns import utc_hour
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import labellings
from nlp_service.adapters.db.tables.messages import current_labellings
from nlp_service.core.overview import NEGATIVE
from nlp_service.core.stored import HourCount, Window


class Reports:
    """ports.Reports on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def hours(self, window: Window) -> tuple[HourCount, ...]:
        """Count current labellings by hour and department."""
        hour = utc_hour(labellings.c.occurred_at).label("hour")
        negative = func.sum(case((labellings.c.sentiment.in_(sorted(NEGATIVE)), 1), else_=0)).label("negative")
        query = (
            current_labellings()
            .add_columns(hour, labellings.c.department, func.count().label("n"), negative)
            .where(labellings.c.occurred_at >= window.start, labellings.c.occurred_at < window.end)
            .group_by(hour, labellings.c.department)
            .order_by(hour, labellings.c.department)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(
            HourCount(
                hour=datetime.fromisoformat(f"{row.hour}:00:00+00:00"),
                department=row.department,
                messages=row.n,
                negative=int(row.negative),
            )
            for row in rows
        )
