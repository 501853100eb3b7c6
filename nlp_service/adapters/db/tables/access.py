"""Keys, the audit log, and what was erased."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, Table

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Word, primary_key=True),  # public part of the key
    Column("name", Word, nullable=False),
    Column("secret_hash", LargeBinary, nullable=False),  # SHA-256; the secret has 256 random bits
    Column("scopes", Document, nullable=False),
    Column("departments", Document),  # JSON null: all of them
    Column("created_at", Instant, nullable=False),
    Column("created_by", Word, nullable=False),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
    Column("per_minute", Integer),  # requests; null: as the setting says, 0: no limit
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Word, nullable=False),
    Column("action", Word, nullable=False),
    Column("subject", Word, nullable=False),
    Column("detail", StoredText, nullable=False),  # canonical JSON, as it was hashed
    Column("hash", Word, nullable=False),
    Index(None, "at"),
    Index(None, "subject"),
)

# Where the chain begins after retention removed its oldest part; the triggers let nothing newer be removed.
audit_anchor = Table(
    "audit_anchor",
    metadata,
    Column("sequence", Serial, primary_key=True, autoincrement=False),
    Column("hash", Word, nullable=False),
)

# Messages removed at a customer's wish, by hash: corpora and models made from them can be found.
erased_messages = Table(
    "erased_messages",
    metadata,
    Column("message_hash", Word, primary_key=True),
    Column("erased_at", Instant, nullable=False),
)
