"""Long work with a lease."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Instant, StoredText, Word

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", Word, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("params", Document, nullable=False),
        sa.Column("progress", Document, nullable=False),
        sa.Column("result", Document),
        sa.Column("error", StoredText),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", Word, nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("lease_owner", Word),
        sa.Column("lease_until", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_state_created_at", "jobs", ["state", "created_at"])


def downgrade() -> None:
    op.drop_table("jobs")
