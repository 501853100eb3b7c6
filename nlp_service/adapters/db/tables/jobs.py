"""Long work: queued, leased by one runner at a time, and kept with its result."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table

from nlp_service.adapters.db.columns import Document, Instant, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

jobs = Table(
    "jobs",
    metadata,
    Column("id", Word, primary_key=True),
    Column("kind", Word, nullable=False),
    Column("state", Word, nullable=False),
    Column("params", Document, nullable=False),
    Column("progress", Document, nullable=False),
    Column("result", Document),
    Column("error", StoredText),
    Column("created_at", Instant, nullable=False),
    Column("created_by", Word, nullable=False),
    Column("started_at", Instant),
    Column("finished_at", Instant),
    Column("attempts", Integer, nullable=False),
    Column("lease_owner", Word),
    Column("lease_until", Instant),  # past: its runner is gone, another may take it
    Index(None, "state", "created_at"),
)
