"""Messages and what the models said of them; rows are added and, for privacy, removed."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    UniqueConstraint,
    select,
    text,
)

from nlp_service.adapters.db.columns import Document, Embedding, Instant, Serial, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

messages = Table(
    "messages",
    metadata,
    Column("id", Word, primary_key=True),  # the hub's
    Column("text", StoredText, nullable=False),  # masked
    Column("raw_text", LargeBinary),  # sealed; only where the operator keeps it
    Column("context", Document, nullable=False),  # list of masked turns
    Column("channel", Word),
    Column("customer_id", Word),
    Column("customer_tier", Word),
    Column("product", Word),
    Column("region", Word),
    Column("sent_at", Instant),
    Column("received_at", Instant, nullable=False),
    Column("occurred_at", Instant, nullable=False),  # sent_at, or received_at where the hub gave none
    Column("amount", Float),
    Column("text_hash", Word, nullable=False),  # of the normalised masked text: finds exact duplicates
    Column("language", Word, nullable=False),
    Index(None, "received_at"),
    Index(None, "occurred_at", "id"),
    Index(None, "customer_id", "occurred_at"),
    Index(
        "ix_messages_raw_text_kept",  # retention looks for these alone
        "received_at",
        sqlite_where=text("raw_text IS NOT NULL"),
        postgresql_where=text("raw_text IS NOT NULL"),
    ),
)

labellings = Table(
    "labellings",
    metadata,
    Column("id", Serial, primary_key=True),  # counts up: of two labellings of a message the greater is newer
    Column("message_id", Word, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("model_name", Word, nullable=False),
    Column("model_version", Word, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("occurred_at", Instant, nullable=False),  # the message's, repeated for the indices
    Column("intent", Word, nullable=False),
    Column("intent_confidence", Float, nullable=False),
    Column("sentiment", Word, nullable=False),
    Column("sentiment_score", Float, nullable=False),
    Column("emotion", Word, nullable=False),
    Column("flags", Document, nullable=False),  # list of ids
    Column("urgency", Word, nullable=False),
    Column("language", Word, nullable=False),
    Column("script", Word, nullable=False),
    Column("priority", Word, nullable=False),
    Column("respond_within_minutes", Integer, nullable=False),
    Column("department", Word, nullable=False),
    Column("needs_human", Boolean(create_constraint=False), nullable=False),
    Column("out_of_scope", Float, nullable=False),
    Column("document", Document, nullable=False),  # the whole labelling but its text and embedding
    Column("embedding", Embedding, nullable=False),
    UniqueConstraint("message_id", "model_name", "model_version"),
    Index(None, "occurred_at"),
    Index(None, "department", "occurred_at"),
    Index(None, "intent", "occurred_at"),
)


def current_labellings() -> Select[tuple[object, ...]]:
    """Select the newest labelling of each message, joined with the message; callers add columns and conditions."""
    newer = labellings.alias("newer")
    is_superseded = (
        select(newer.c.id).where(newer.c.message_id == labellings.c.message_id, newer.c.id > labellings.c.id).exists()
    )
    return select().select_from(labellings.join(messages)).where(~is_superseded)
