"""Labels that people added or moved, and what a shadow said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, Serial, StoredText, Word

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_table(
        "provisional_intents",
        sa.Column("id", Word, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", Word, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_provisional_intents"),
    )
    op.create_table(
        "label_moves",
        sa.Column("id", Serial, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("old", Word, nullable=False),
        sa.Column("new", Word, nullable=False),
        sa.Column("why", StoredText, nullable=False),
        sa.Column("moved_at", Instant, nullable=False),
        sa.Column("moved_by", Word, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_label_moves"),
    )
    op.create_table(
        "shadows",
        sa.Column("id", Serial, nullable=False),
        sa.Column("version", Word, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("started_by", Word, nullable=False),
        sa.Column("ended_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_shadows"),
    )
    op.create_table(
        "shadow_answers",
        sa.Column("shadow_id", Serial, nullable=False, autoincrement=False),
        sa.Column("message_id", Word, nullable=False),
        sa.Column("answered_at", Instant, nullable=False),
        sa.Column("changed", sa.Boolean(create_constraint=False), nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.PrimaryKeyConstraint("shadow_id", "message_id", name="pk_shadow_answers"),
        sa.ForeignKeyConstraint(
            ["shadow_id"], ["shadows.id"], name="fk_shadow_answers_shadow_id_shadows", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_shadow_answers_message_id_messages", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_shadow_answers_shadow_id_changed", "shadow_answers", ["shadow_id", "changed"])
    op.create_index("ix_shadow_answers_message_id", "shadow_answers", ["message_id"])


def downgrade() -> None:
    for table in ("shadow_answers", "shadows", "label_moves", "provisional_intents"):
        op.drop_table(table)
