"""Who is told of theme events, what is to be sent, and every attempt to send it."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, Table, UniqueConstraint

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word
from nlp_service.adapters.db.tables.base import metadata

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", Word, primary_key=True),
    Column("name", Word, nullable=False, unique=True),
    Column("channel", Word, nullable=False),
    Column("filter", Document, nullable=False),
    Column("rhythm", Document, nullable=False),
    Column("language", Word, nullable=False),
    Column("state", Word, nullable=False),  # active, paused, disabled
    Column("state_reason", StoredText, nullable=False),
    Column("address", StoredText, nullable=False),  # as it may be shown
    Column("target", LargeBinary, nullable=False),  # sealed
    Column("created_at", Instant, nullable=False),
    Column("failures", Integer, nullable=False),  # in a row
    Column("failing_since", Instant),
    Column("open_until", Instant),  # the breaker's
    Column("paced_until", Instant),  # the rate limit's
    Column("ready_at", Instant, nullable=False),  # nothing is claimed before
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Serial, primary_key=True),  # the order in which events happened
    Column("event_id", Word, nullable=False, unique=True),
    Column("theme_id", Word, nullable=False),
    Column("kind", Word, nullable=False),
    Column("document", Document, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("matched", Integer, nullable=False),  # subscriptions that it is for; 0 = nobody was told
    Index(None, "theme_id"),
    Index(None, "created_at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Serial, primary_key=True),
    Column("message_id", Word, nullable=False, unique=True),  # the receiver's idempotency key
    Column("subscription_id", Word, ForeignKey("subscriptions.id", ondelete="CASCADE"), nullable=False),
    Column("theme_id", Word),  # none for a digest
    Column("form", Word, nullable=False),  # event, digest, sample
    Column("digest_key", Word),  # which digest of its subscription
    Column("state", Word, nullable=False),  # open, done, dead, merged
    Column("reason", StoredText, nullable=False),  # of the state
    Column("due_at", Instant, nullable=False),  # while claimed: when the lease ends
    Column("claim", Word),  # of the worker that is sending it
    Column("attempts", Integer, nullable=False),
    Column("failures", Integer, nullable=False),  # attempts that were answered badly or not at all
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    UniqueConstraint("subscription_id", "digest_key"),
    Index(None, "subscription_id", "state", "due_at"),
    Index(None, "subscription_id", "state", "theme_id", "id"),
    Index(None, "state", "id"),
)

delivery_events = Table(
    "delivery_events",
    metadata,
    Column(
        "delivery_id", Serial, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("outbox_id", Serial, ForeignKey("outbox.id", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Index(None, "outbox_id"),
)

attempts = Table(
    "attempts",
    metadata,
    Column(
        "delivery_id", Serial, ForeignKey("deliveries.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),  # none while it lasts
    Column("outcome", Word),  # delivered, refused, …, interrupted
    Column("status", Integer),
    Column("code", Word),
    Column("detail", StoredText),  # part of the answer
    Column("verdict", Word),
    Column("because", StoredText),
)

tickets = Table(
    "tickets",
    metadata,
    Column("subscription_id", Word, ForeignKey("subscriptions.id", ondelete="CASCADE"), primary_key=True),
    Column("theme_id", Word, primary_key=True),
    Column("issue", Word, nullable=False),  # the key, for example PROD-12
    Column("state", Word, nullable=False),  # open, closed
    Column("created_at", Instant, nullable=False),
)
