"""Which messages wait for a person's labels."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, Word

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "review_queue",
        sa.Column("message_id", Word, nullable=False),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("department", Word, nullable=False),
        sa.Column("reasons", Document, nullable=False),
        sa.Column("filled_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_review_queue"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_review_queue_message_id_messages", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_review_queue_place", "review_queue", ["place"])


def downgrade() -> None:
    op.drop_table("review_queue")
