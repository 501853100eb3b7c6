"""A key may have a rate limit of its own."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("per_minute", sa.Integer))


def downgrade() -> None:
    op.drop_column("api_keys", "per_minute")
