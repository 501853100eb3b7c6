"""Policies as they were saved; rows are only added, the newest is in force."""

from __future__ import annotations

from sqlalchemy import Column, Table

from nlp_service.adapters.db.columns import Instant, Serial, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

policies = Table(
    "policies",
    metadata,
    Column("version", Serial, primary_key=True),  # counts up
    Column("text", StoredText, nullable=False),  # YAML, checked before it was saved
    Column("saved_by", Word, nullable=False),
    Column("saved_at", Instant, nullable=False),
)
