"""Counts by hour that are right at every moment: whatever changes them writes the difference in its own transaction.

A reader adds hourly_counts and count_changes in one statement; folding moves rows from the second to the first and
changes no sum. Whoever adds labellings to a message that is there already, or removes one, holds its row first, so
that two replicas agree on which labelling was the current one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, case, delete, func, insert, literal, select, text, union_all
from sqlalchemy.dialects import postgresql, sqlite

from nlp_service.adapters.db.columns import hour_start
from nlp_service.adapters.db.tables import count_changes, hourly_counts, labellings, messages
from nlp_service.adapters.db.tables.messages import current_labellings
from nlp_service.core.overview import NEGATIVE, URGENT

CHANNEL, INTENT = "channel", "intent"
FIGURES = ("messages", "negative", "urgent", "human")
_KEY = ("dimension", "hour", "department", "value")
_LABELS = (labellings.c.department, labellings.c.intent, labellings.c.sentiment, labellings.c.priority)


class Counted(NamedTuple):
    """What is counted of one message."""

    hour: datetime
    department: str
    channel: str
    intent: str
    figures: tuple[int, int, int, int]  # as FIGURES

    @classmethod
    def of(cls, occurred_at: datetime, channel: str | None, labelling: Mapping[str, Any]) -> Counted:
        """Return what a message counts for by a labelling's row."""
        urgent, negative = labelling["priority"] == URGENT, labelling["sentiment"] in NEGATIVE
        return cls(
            hour=occurred_at.replace(minute=0, second=0, microsecond=0),
            department=labelling["department"],
            channel=channel or "",
            intent=labelling["intent"],
            figures=(1, int(negative), int(urgent), int(labelling["needs_human"])),
        )


def hold(connection: Connection, ids: Iterable[str]) -> list[Row[Any]]:
    """Hold messages until the transaction ends; returns id, time and channel of those that are there."""
    query = select(messages.c.id, messages.c.occurred_at, messages.c.channel).where(messages.c.id.in_(sorted(ids)))
    return list(connection.execute(query.order_by(messages.c.id).with_for_update(key_share=True)))


def current(connection: Connection, ids: Iterable[str]) -> list[Counted]:
    """Return what these messages count for at this moment."""
    columns = (messages.c.occurred_at, messages.c.channel, *_LABELS, labellings.c.needs_human)
    query = current_labellings().add_columns(*columns).where(messages.c.id.in_(list(ids)))
    return [Counted.of(row.occurred_at, row.channel, row._asdict()) for row in connection.execute(query)]


def change(connection: Connection, *, before: Iterable[Counted] = (), after: Iterable[Counted] = ()) -> None:
    """Write what the counts lose and gain."""
    sums: dict[tuple[str, datetime, str, str], list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    for sign, counted in ((-1, before), (1, after)):
        for item in counted:
            for dimension, value in ((CHANNEL, item.channel), (INTENT, item.intent)):
                total = sums[dimension, item.hour, item.department, value]
                for place, figure in enumerate(item.figures):
                    total[place] += sign * figure
    rows = [_row(key, total) for key, total in sums.items() if any(total)]
    if rows:
        connection.execute(insert(count_changes), rows)


def remove(connection: Connection, ids: Sequence[str]) -> int:
    """Remove messages with everything that refers to them, and take them off the counts; returns how many."""
    hold(connection, ids)
    change(connection, before=current(connection, ids))
    return connection.execute(delete(messages).where(messages.c.id.in_(ids))).rowcount


def fold(connection: Connection, *, limit: int) -> int:
    """Move at most ``limit`` changes into hourly_counts; returns how many there were. Several at once are safe."""
    oldest = select(count_changes.c.id).order_by(count_changes.c.id).limit(limit).with_for_update(skip_locked=True)
    taken = list(connection.execute(oldest).scalars())
    gone = delete(count_changes).where(count_changes.c.id.in_(taken)).returning(count_changes)
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    for row in connection.execute(gone):
        total = sums[row.dimension, row.hour, row.department, row.value]
        for place, name in enumerate(FIGURES):
            total[place] += getattr(row, name)
    rows = [_row(key, total) for key, total in sorted(sums.items()) if any(total)]  # in order: no deadlock
    if rows:
        connection.execute(_adding(connection.dialect.name), rows)
    if any(row["messages"] < 0 for row in rows):
        connection.execute(delete(hourly_counts).where(*(hourly_counts.c[name] == 0 for name in FIGURES)))
    return len(taken)


def recount(connection: Connection) -> int:
    """Count everything anew; writers wait meanwhile. Returns the messages counted."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE messages, labellings, count_changes IN SHARE ROW EXCLUSIVE MODE"))
    for table in (count_changes, hourly_counts):
        connection.execute(delete(table))
    hour = hour_start(labellings.c.occurred_at)
    figures = (
        func.count(),
        func.sum(case((labellings.c.sentiment.in_(sorted(NEGATIVE)), 1), else_=0)),
        func.sum(case((labellings.c.priority == URGENT, 1), else_=0)),
        func.sum(case((labellings.c.needs_human, 1), else_=0)),
    )
    for dimension, value in ((CHANNEL, func.coalesce(messages.c.channel, "")), (INTENT, labellings.c.intent)):
        key = (hour, labellings.c.department, value)
        counted = current_labellings().add_columns(literal(dimension), *key, *figures).group_by(*key)
        connection.execute(insert(hourly_counts).from_select([*_KEY, *FIGURES], counted))
    total = select(func.coalesce(func.sum(hourly_counts.c.messages), 0)).where(hourly_counts.c.dimension == CHANNEL)
    return int(connection.execute(total).scalar_one())


def counted(dimension: str, *conditions: Any) -> Any:
    """Return a subquery of all rows of a dimension, folded or not; each condition is a function of a table."""

    def rows(table: Any) -> Any:
        given = [condition(table) for condition in conditions]
        return select(*(table.c[name] for name in (*_KEY, *FIGURES))).where(table.c.dimension == dimension, *given)

    return union_all(rows(hourly_counts), rows(count_changes)).subquery()


def _row(key: tuple[Any, ...], total: Sequence[int]) -> dict[str, Any]:
    return dict(zip((*_KEY, *FIGURES), (*key, *total), strict=True))


def _adding(dialect: str) -> Any:
    statement: Any = postgresql.insert(hourly_counts) if dialect == "postgresql" else sqlite.insert(hourly_counts)
    sums = {name: hourly_counts.c[name] + statement.excluded[name] for name in FIGURES}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=sums)
