"""Themes, where they lie in each model's space, their messages, numbers, events, and who may mine."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Index, LargeBinary, PrimaryKeyConstraint, Table, UniqueConstraint

from nlp_service.adapters.db.columns import Document, Embedding, Instant, Serial, Word
from nlp_service.adapters.db.tables.base import metadata

themes = Table(
    "themes",
    metadata,
    Column("id", Word, primary_key=True),
    Column("state", Word, nullable=False),
    Column("title", Word, nullable=False),
    Column("merged_into", Word),
    Column("share", Float, nullable=False),  # of the newest window, for sorting
    Column("updated_at", Instant, nullable=False),
    Column("document", Document, nullable=False),  # the whole theme
    Index(None, "state"),
)

theme_spaces = Table(
    "theme_spaces",
    metadata,
    Column("model_name", Word, nullable=False),
    Column("model_version", Word, nullable=False),
    Column("origin", LargeBinary, nullable=False),  # float32, little endian
    PrimaryKeyConstraint("model_name", "model_version"),
)

theme_anchors = Table(
    "theme_anchors",
    metadata,
    Column("theme_id", Word, ForeignKey("themes.id", ondelete="CASCADE"), nullable=False),
    Column("model_name", Word, nullable=False),
    Column("model_version", Word, nullable=False),
    Column("centroid", Embedding, nullable=False),
    Column("threshold", Float, nullable=False),
    PrimaryKeyConstraint("theme_id", "model_name", "model_version"),
)

theme_members = Table(
    "theme_members",
    metadata,
    Column("message_id", Word, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("theme_id", Word, nullable=False),
    Column("similarity", Float, nullable=False),
    Column("occurred_at", Instant, nullable=False),  # the message's
    Index(None, "theme_id", "occurred_at"),
    Index(None, "occurred_at"),
)

theme_windows = Table(
    "theme_windows",
    metadata,
    Column("theme_id", Word, ForeignKey("themes.id", ondelete="CASCADE"), nullable=False),
    Column("end_at", Instant, nullable=False),
    Column("document", Document, nullable=False),  # the measure
    PrimaryKeyConstraint("theme_id", "end_at"),
)

theme_events = Table(
    "theme_events",
    metadata,
    Column("id", Serial, primary_key=True),  # counts up in the order of the events
    Column("event_id", Word, nullable=False),
    Column("theme_id", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("at", Instant, nullable=False),
    Column("document", Document, nullable=False),  # the event as delivered
    UniqueConstraint("event_id"),
    Index(None, "theme_id", "id"),
)

leases = Table(
    "leases",
    metadata,
    Column("name", Word, primary_key=True),
    Column("holder", Word, nullable=False),
    Column("until", Instant, nullable=False),
)
