"""Counts by hour of the current labellings, filled from the rows that are there."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

from nlp_service.adapters.db.columns import Instant, Serial, Word

revision = "0012"
down_revision = "0011"

# SQLite keeps a moment as text: 2026-03-02 09:15:00.000000
_HOUR = {
    "sqlite": "substr(l.occurred_at, 1, 13) || ':00:00.000000'",
    "postgresql": "date_trunc('hour', l.occurred_at, 'UTC')",
}
_FILL = """
INSERT INTO hourly_counts (dimension, hour, department, value, messages, negative, urgent, human)
SELECT '{dimension}', {hour}, l.department, {value}, count(*),
  sum(CASE WHEN l.sentiment IN ('negative', 'very_negative') THEN 1 ELSE 0 END),
  sum(CASE WHEN l.priority = 'urgent' THEN 1 ELSE 0 END),
  sum(CASE WHEN l.needs_human THEN 1 ELSE 0 END)
FROM labellings l JOIN messages m ON m.id = l.message_id
WHERE NOT EXISTS (SELECT 1 FROM labellings n WHERE n.message_id = l.message_id AND n.id > l.id)
GROUP BY {hour}, l.department, {value}
"""
# Coarser rows are sums of the finer ones: every message by hour, channels and intents by day.
_DAY = {
    "sqlite": "substr(f.hour, 1, 10) || ' 00:00:00.000000'",
    "postgresql": "date_trunc('day', f.hour, 'UTC')",
}
_SUM = """
INSERT INTO hourly_counts (dimension, hour, department, value, messages, negative, urgent, human)
SELECT '{coarse}', {hour}, f.department, {value}, sum(f.messages), sum(f.negative), sum(f.urgent), sum(f.human)
FROM hourly_counts f WHERE f.dimension = '{fine}' GROUP BY {by}
"""


def upgrade() -> None:
    op.create_table(
        "hourly_counts",
        *_counted(),
        sa.PrimaryKeyConstraint("dimension", "hour", "department", "value", name="pk_hourly_counts"),
        sqlite_with_rowid=False,
    )
    key = sa.PrimaryKeyConstraint("id", name="pk_count_changes")
    op.create_table("count_changes", sa.Column("id", Serial, nullable=False), *_counted(), key)
    hour = _HOUR[op.get_bind().dialect.name]
    for dimension, value in (("channel", "coalesce(m.channel, '')"), ("intent", "l.intent")):
        op.execute(_FILL.format(dimension=dimension, hour=hour, value=value))
    day = _DAY[op.get_bind().dialect.name]
    op.execute(_SUM.format(coarse="all", fine="channel", hour="f.hour", value="''", by="f.hour, f.department"))
    for fine in ("channel", "intent"):
        by = f"{day}, f.department, f.value"
        op.execute(_SUM.format(coarse=f"{fine} by day", fine=fine, hour=day, value="f.value", by=by))


def downgrade() -> None:
    op.drop_table("count_changes")
    op.drop_table("hourly_counts")


def _counted() -> list[sa.Column[Any]]:
    return [
        sa.Column("dimension", Word, nullable=False),
        sa.Column("hour", Instant, nullable=False),
        sa.Column("department", Word, nullable=False),
        sa.Column("value", Word, nullable=False),
        sa.Column("messages", sa.Integer, nullable=False),
        sa.Column("negative", sa.Integer, nullable=False),
        sa.Column("urgent", sa.Integer, nullable=False),
        sa.Column("human", sa.Integer, nullable=False),
    ]
