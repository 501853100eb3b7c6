"""What learning on keeps: weeks of drift, labels that people added or moved, and what a shadow said."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

drift_weeks = Table(
    "drift_weeks",
    metadata,
    Column("model_name", Word, primary_key=True),
    Column("model_version", Word, primary_key=True),
    Column("start", Instant, primary_key=True),  # a Monday
    Column("messages", Integer, nullable=False),
    Column("document", Document, nullable=False),  # counts, mean confidence and mean embedding
    Column("measured_at", Instant, nullable=False),
    Column("alerted_at", Instant),  # when its alert was raised; once a week and model
)

provisional_intents = Table(
    "provisional_intents",
    metadata,
    Column("id", Word, primary_key=True),
    Column("document", Document, nullable=False),  # names, group, department, examples (masked)
    Column("created_at", Instant, nullable=False),
    Column("created_by", Word, nullable=False),
)

label_moves = Table(
    "label_moves",
    metadata,
    Column("id", Serial, primary_key=True),  # applied in this order
    Column("kind", Word, nullable=False),  # rename, merge
    Column("old", Word, nullable=False),
    Column("new", Word, nullable=False),
    Column("why", StoredText, nullable=False),
    Column("moved_at", Instant, nullable=False),
    Column("moved_by", Word, nullable=False),
)

shadows = Table(
    "shadows",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("version", Word, nullable=False),
    Column("share", Float, nullable=False),  # of the messages, 0 to 1
    Column("started_at", Instant, nullable=False),
    Column("started_by", Word, nullable=False),
    Column("ended_at", Instant),  # the open one is running
)

shadow_answers = Table(
    "shadow_answers",
    metadata,
    Column("shadow_id", Serial, ForeignKey("shadows.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("message_id", Word, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("answered_at", Instant, nullable=False),
    Column("changed", Boolean(create_constraint=False), nullable=False),  # another intent, priority, route or hand-over
    Column("document", Document, nullable=False),  # what was sent and what the shadow said
    Index(None, "shadow_id", "changed"),
    Index(None, "message_id"),
)
