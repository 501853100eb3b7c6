"""Themes: identities, anchors by model, members, numbers by window, events; leases of long work."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Document, Embedding, Instant, Serial, Word

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    _identities()
    _observations()
    op.create_table(
        "leases",
        sa.Column("name", Word, nullable=False),
        sa.Column("holder", Word, nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_leases"),
    )


def _identities() -> None:
    op.create_table(
        "themes",
        sa.Column("id", Word, nullable=False),
        sa.Column("state", Word, nullable=False),
        sa.Column("title", Word, nullable=False),
        sa.Column("merged_into", Word),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_themes"),
    )
    op.create_index("ix_themes_state", "themes", ["state"])
    op.create_table(
        "theme_spaces",
        sa.Column("model_name", Word, nullable=False),
        sa.Column("model_version", Word, nullable=False),
        sa.Column("origin", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("model_name", "model_version", name="pk_theme_spaces"),
    )
    op.create_table(
        "theme_anchors",
        sa.Column("theme_id", Word, nullable=False),
        sa.Column("model_name", Word, nullable=False),
        sa.Column("model_version", Word, nullable=False),
        sa.Column("centroid", Embedding, nullable=False),
        sa.Column("threshold", sa.Float, nullable=False),
        sa.PrimaryKeyConstraint("theme_id", "model_name", "model_version", name="pk_theme_anchors"),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["themes.id"], name="fk_theme_anchors_theme_id_themes", ondelete="CASCADE"
        ),
    )


def _observations() -> None:
    op.create_table(
        "theme_members",
        sa.Column("message_id", Word, nullable=False),
        sa.Column("theme_id", Word, nullable=False),
        sa.Column("similarity", sa.Float, nullable=False),
        sa.Column("occurred_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("message_id", name="pk_theme_members"),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name="fk_theme_members_message_id_messages", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_theme_members_theme_id_occurred_at", "theme_members", ["theme_id", "occurred_at"])
    op.create_index("ix_theme_members_occurred_at", "theme_members", ["occurred_at"])
    op.create_table(
        "theme_windows",
        sa.Column("theme_id", Word, nullable=False),
        sa.Column("end_at", Instant, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.PrimaryKeyConstraint("theme_id", "end_at", name="pk_theme_windows"),
        sa.ForeignKeyConstraint(
            ["theme_id"], ["themes.id"], name="fk_theme_windows_theme_id_themes", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "theme_events",
        sa.Column("id", Serial, nullable=False),
        sa.Column("event_id", Word, nullable=False),
        sa.Column("theme_id", Word, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("document", Document, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_theme_events"),
        sa.UniqueConstraint("event_id", name="uq_theme_events_event_id"),
    )
    op.create_index("ix_theme_events_theme_id_id", "theme_events", ["theme_id", "id"])


def downgrade() -> None:
    for table in (
        "leases",
        "theme_events",
        "theme_windows",
        "theme_members",
        "theme_anchors",
        "theme_spaces",
        "themes",
    ):
        op.drop_table(table)
