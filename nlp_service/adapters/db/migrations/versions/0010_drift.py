"""Weeks of drift."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, Word

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.create_table(
        "drift_weeks",
        sa.Column("model_name", Word, nullable=False),
        sa.Column("model_version", Word, nullable=False),
        sa.Column("start", Instant, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.Column("measured_at", Instant, nullable=False),
        sa.Column("alerted_at", Instant),
        sa.PrimaryKeyConstraint("model_name", "model_version", "start", name="pk_drift_weeks"),
    )


def downgrade() -> None:
    op.drop_table("drift_weeks")
