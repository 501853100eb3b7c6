"""Subscriptions, the outbox, deliveries with their attempts, and tickets."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "subscriptions",
        sa.Column("id", Word, nullable=False),
        sa.Column("name", Word, nullable=False),
        sa.Column("channel", Word, nullable=False),
        sa.Column("filter", Document, nullable=False),
        sa.Column("rhythm", Document, nullable=False),
        sa.Column("language", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("state_reason", StoredText, nullable=False),
        sa.Column("address", StoredText, nullable=False),
        sa.Column("target", sa.LargeBinary, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("failing_since", Instant),
        sa.Column("open_until", Instant),
        sa.Column("paced_until", Instant),
        sa.Column("ready_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
        sa.UniqueConstraint("name", name="uq_subscriptions_name"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", Serial, nullable=False),
        sa.Column("event_id", Word, nullable=False),
        sa.Column("theme_id", Word, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("matched", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        sa.UniqueConstraint("event_id", name="uq_outbox_event_id"),
    )
    op.create_index("ix_outbox_theme_id", "outbox", ["theme_id"])
    op.create_index("ix_outbox_created_at", "outbox", ["created_at"])
    op.create_table(
        "deliveries",
        sa.Column("id", Serial, nullable=False),
        sa.Column("message_id", Word, nullable=False),
        sa.Column("subscription_id", Word, nullable=False),
        sa.Column("theme_id", Word),
        sa.Column("form", Word, nullable=False),
        sa.Column("digest_key", Word),
        sa.Column("state", Word, nullable=False),
        sa.Column("reason", StoredText, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("claim", Word),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name="fk_deliveries_subscription_id_subscriptions",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("message_id", name="uq_deliveries_message_id"),
        sa.UniqueConstraint("subscription_id", "digest_key", name="uq_deliveries_subscription_id_digest_key"),
    )
    op.create_index("ix_deliveries_subscription_id_state_due_at", "deliveries", ["subscription_id", "state", "due_at"])
    op.create_index(
        "ix_deliveries_subscription_id_state_theme_id_id", "deliveries", ["subscription_id", "state", "theme_id", "id"]
    )
    op.create_index("ix_deliveries_state_id", "deliveries", ["state", "id"])
    op.create_table(
        "delivery_events",
        sa.Column("delivery_id", Serial, nullable=False, autoincrement=False),
        sa.Column("outbox_id", Serial, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("delivery_id", "outbox_id", name="pk_delivery_events"),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name="fk_delivery_events_delivery_id_deliveries", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["outbox_id"], ["outbox.id"], name="fk_delivery_events_outbox_id_outbox", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_delivery_events_outbox_id", "delivery_events", ["outbox_id"])
    op.create_table(
        "attempts",
        sa.Column("delivery_id", Serial, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("outcome", Word),
        sa.Column("status", sa.Integer),
        sa.Column("code", Word),
        sa.Column("detail", StoredText),
        sa.Column("verdict", Word),
        sa.Column("because", StoredText),
        sa.PrimaryKeyConstraint("delivery_id", "number", name="pk_attempts"),
        sa.ForeignKeyConstraint(
            ["delivery_id"], ["deliveries.id"], name="fk_attempts_delivery_id_deliveries", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "tickets",
        sa.Column("subscription_id", Word, nullable=False),
        sa.Column("theme_id", Word, nullable=False),
        sa.Column("issue", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("subscription_id", "theme_id", name="pk_tickets"),
        sa.ForeignKeyConstraint(
            ["subscription_id"],
            ["subscriptions.id"],
            name="fk_tickets_subscription_id_subscriptions",
            ondelete="CASCADE",
        ),
    )


def downgrade() -> None:
    for table in ("tickets", "attempts", "delivery_events", "deliveries", "outbox", "subscriptions"):
        op.drop_table(table)
