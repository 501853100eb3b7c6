"""What people say of messages, and which messages wait for them."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, Table

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

corrections = Table(
    "corrections",
    metadata,
    Column("id", Serial, primary_key=True),  # counts up: of one person's corrections of a message the greatest counts
    Column("message_id", Word, ForeignKey("messages.id", ondelete="CASCADE"), nullable=False),
    Column("made_by", Word, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("why", StoredText, nullable=False),
    Column("resolves", Boolean(create_constraint=False), nullable=False),
    Column("labels", Document, nullable=False),  # field -> label, those judged alone
    Index(None, "message_id"),
    Index(None, "made_at"),
)

# Filled anew as a whole; a message leaves it when it was corrected.
review_queue = Table(
    "review_queue",
    metadata,
    Column("message_id", Word, ForeignKey("messages.id", ondelete="CASCADE"), primary_key=True),
    Column("place", Integer, nullable=False),  # 0 teaches most
    Column("score", Float, nullable=False),
    Column("department", Word, nullable=False),
    Column("reasons", Document, nullable=False),  # list of [kind, strength, because, figures]
    Column("filled_at", Instant, nullable=False),
    Index(None, "place"),
)
