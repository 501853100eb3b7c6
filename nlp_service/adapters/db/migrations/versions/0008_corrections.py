"""What people say of messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.create_table(
        "corrections",
        sa.Column("id", Serial, nullable=False),
        sa.Column("message_id", Word, nullable=False),
        sa.Column("made_by", Word, nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("why", StoredText, nullable=False),
        sa.Column("resolves", sa.Boolean, nullable=False),
        sa.Column("labels", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_corrections_message_id_messages", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_corrections_message_id", "corrections", ["message_id"])
    op.create_index("ix_corrections_made_at", "corrections", ["made_at"])


def downgrade() -> None:
    op.drop_table("corrections")
