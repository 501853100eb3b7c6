"""Counts by hour of the current labellings, so that pages need not read a million rows."""

from __future__ import annotations

from sqlalchemy import Column, Integer, PrimaryKeyConstraint, Table

from nlp_service.adapters.db.columns import Instant, Serial, Word
from nlp_service.adapters.db.tables.base import metadata


def _counted() -> list[Column[object]]:
    return [
        Column("dimension", Word, nullable=False),  # channel, intent
        Column("hour", Instant, nullable=False),  # its start
        Column("department", Word, nullable=False),
        Column("value", Word, nullable=False),  # of the dimension; empty for a message without channel
        Column("messages", Integer, nullable=False),
        Column("negative", Integer, nullable=False),
        Column("urgent", Integer, nullable=False),
        Column("human", Integer, nullable=False),  # sent to people
    ]


hourly_counts = Table(
    "hourly_counts",
    metadata,
    *_counted(),
    PrimaryKeyConstraint("dimension", "hour", "department", "value"),
    sqlite_with_rowid=False,
)

# What was added or taken away and is not folded into hourly_counts yet: rows are only ever added, so that replicas
# that store messages of the same hour do not wait for one another.
count_changes = Table("count_changes", metadata, Column("id", Serial, primary_key=True), *_counted())
