"""Messages in order of time: replaying and exporting a window must not sort the table for each page."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("ix_messages_occurred_at_id", "messages", ["occurred_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_messages_occurred_at_id", "messages")
