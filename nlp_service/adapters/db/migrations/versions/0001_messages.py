"""Messages and labellings."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Embedding, Instant, Serial, StoredText, Word

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", Word, nullable=False),
        sa.Column("text", StoredText, nullable=False),
        sa.Column("raw_text", sa.LargeBinary),
        sa.Column("context", Document, nullable=False),
        sa.Column("channel", Word),
        sa.Column("customer_id", Word),
        sa.Column("customer_tier", Word),
        sa.Column("product", Word),
        sa.Column("region", Word),
        sa.Column("sent_at", Instant),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("occurred_at", Instant, nullable=False),
        sa.Column("amount", sa.Float),
        sa.Column("text_hash", Word, nullable=False),
        sa.Column("language", Word, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
    )
    op.create_index("ix_messages_received_at", "messages", ["received_at"])
    op.create_index("ix_messages_customer_id_occurred_at", "messages", ["customer_id", "occurred_at"])
    op.create_table(
        "labellings",
        sa.Column("id", Serial, nullable=False),
        sa.Column("message_id", Word, nullable=False),
        sa.Column("model_name", Word, nullable=False),
        sa.Column("model_version", Word, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("occurred_at", Instant, nullable=False),
        sa.Column("intent", Word, nullable=False),
        sa.Column("intent_confidence", sa.Float, nullable=False),
        sa.Column("sentiment", Word, nullable=False),
        sa.Column("sentiment_score", sa.Float, nullable=False),
        sa.Column("emotion", Word, nullable=False),
        sa.Column("flags", Document, nullable=False),
        sa.Column("urgency", Word, nullable=False),
        sa.Column("language", Word, nullable=False),
        sa.Column("script", Word, nullable=False),
        sa.Column("priority", Word, nullable=False),
        sa.Column("respond_within_minutes", sa.Integer, nullable=False),
        sa.Column("department", Word, nullable=False),
        sa.Column("needs_human", sa.Boolean, nullable=False),
        sa.Column("out_of_scope", sa.Float, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("embedding", Embedding, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_labellings"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_labellings_message_id_messages", ondelete="CASCADE"
        ),
        sa.UniqueConstraint(
            "message_id", "model_name", "model_version", name="uq_labellings_message_id_model_name_model_version"
        ),
    )
    op.create_index("ix_labellings_occurred_at", "labellings", ["occurred_at"])
    op.create_index("ix_labellings_department_occurred_at", "labellings", ["department", "occurred_at"])
    op.create_index("ix_labellings_intent_occurred_at", "labellings", ["intent", "occurred_at"])


def downgrade() -> None:
    op.drop_table("labellings")
    op.drop_table("messages")
