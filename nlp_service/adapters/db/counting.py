"""Counts by hour that are right at every moment: whatever changes them writes the difference in its own transaction.

A reader adds hourly_counts and count_changes in one statement; folding moves rows from the second to the first and
changes no sum. What was folded is also kept without channels and intents, and by day, so that a quarter of a year is
read in a few thousand rows. Whoever adds labellings to a message that is there already, or removes one, holds its row
first, so that two replicas agree on which labelling was the current one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Table,
    and_,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    text,
    union_all,
)
from sqlalchemy.dialects import postgresql, sqlite

from nlp_service.adapters.db.columns import day_start, hour_start
from nlp_service.adapters.db.tables import count_changes, hourly_counts, labellings, messages
from nlp_service.adapters.db.tables.messages import current_labellings
from nlp_service.core.overview import NEGATIVE, URGENT
from nlp_service.core.stored import Window

CHANNEL, INTENT = "channel", "intent"
ALL = "all"  # every message, without a value
BY_DAY = " by day"  # after a dimension: its rows of a UTC day in one, dated at the day's start
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
    """Hold messages until the transaction ends; returns id, time and channel of those that are there.

    Only what is returned is held: of a message that was removed and sent again meanwhile, nothing may be counted.
    """
    wanted = sorted(ids)
    if not wanted:
        return []
    query = select(messages.c.id, messages.c.occurred_at, messages.c.channel).where(messages.c.id.in_(wanted))
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
    held = [row.id for row in hold(connection, ids)]
    change(connection, before=current(connection, held))
    return connection.execute(delete(messages).where(messages.c.id.in_(held))).rowcount


def fold(connection: Connection, *, limit: int) -> int:
    """Move at most ``limit`` changes into hourly_counts; returns how many there were. Several at once are safe."""
    oldest = select(count_changes.c.id).order_by(count_changes.c.id).limit(limit).with_for_update(skip_locked=True)
    taken = list(connection.execute(oldest).scalars())
    gone = delete(count_changes).where(count_changes.c.id.in_(taken)).returning(count_changes)
    sums: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * len(FIGURES))
    for row in connection.execute(gone):
        day = row.hour.replace(hour=0)
        keys = [(row.dimension, row.hour, row.department, row.value)]
        keys.append((row.dimension + BY_DAY, day, row.department, row.value))
        if row.dimension == CHANNEL:
            keys.append((ALL, row.hour, row.department, ""))
        for key in keys:
            for place, name in enumerate(FIGURES):
                sums[key][place] += getattr(row, name)
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
    fine = hourly_counts.alias("fine").c
    for dimension, coarse, start, grouped in (
        (CHANNEL, ALL, fine.hour, ()),
        (CHANNEL, CHANNEL + BY_DAY, day_start(fine.hour), (fine.value,)),
        (INTENT, INTENT + BY_DAY, day_start(fine.hour), (fine.value,)),
    ):
        sums = (func.sum(fine[name]) for name in FIGURES)
        summed = select(literal(coarse), start, fine.department, *(grouped or (literal(""),)), *sums)
        summed = summed.where(fine.dimension == dimension).group_by(start, fine.department, *grouped)
        connection.execute(insert(hourly_counts).from_select([*_KEY, *FIGURES], summed))
    total = select(func.coalesce(func.sum(hourly_counts.c.messages), 0)).where(hourly_counts.c.dimension == ALL)
    return int(connection.execute(total).scalar_one())


def counted(dimension: str, window: Window, departments: Collection[str] | None = None) -> Any:
    """Return a subquery whose rows, summed, are the counts of a window of whole hours.

    The rows of ALL and of changes are by hour; those of channels and intents by day, and by hour at the window's ends.
    """
    folded, changed = hourly_counts.c, count_changes.c
    fine = CHANNEL if dimension == ALL else dimension
    parts = [(hourly_counts, dimension, _between(folded, window.start, window.end))]
    first, last = _midnight_from(window.start), window.end.astimezone(UTC).replace(hour=0)
    if dimension != ALL and first < last:
        ends = _between(folded, window.start, first) | _between(folded, last, window.end)
        whole = _between(folded, first, last)
        parts = [(hourly_counts, dimension, ends), (hourly_counts, dimension + BY_DAY, whole)]
    parts.append((count_changes, fine, _between(changed, window.start, window.end)))

    def rows(table: Table, name: str, inside: ColumnElement[bool]) -> Any:
        query = select(*(table.c[column] for column in (*_KEY, *FIGURES))).where(table.c.dimension == name, inside)
        return query if departments is None else query.where(table.c.department.in_(sorted(departments)))

    return union_all(*(rows(*part) for part in parts)).subquery()


def _between(columns: Any, start: datetime, end: datetime) -> ColumnElement[bool]:
    return and_(columns.hour >= start, columns.hour < end)


def _midnight_from(moment: datetime) -> datetime:
    """Return the first start of a UTC day at or after a moment."""
    day = moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return day if day >= moment else day + timedelta(days=1)


def _row(key: tuple[Any, ...], total: Sequence[int]) -> dict[str, Any]:
    return dict(zip((*_KEY, *FIGURES), (*key, *total), strict=True))


def _adding(dialect: str) -> Any:
    statement: Any = postgresql.insert(hourly_counts) if dialect == "postgresql" else sqlite.insert(hourly_counts)
    sums = {name: hourly_counts.c[name] + statement.excluded[name] for name in FIGURES}
    return statement.on_conflict_do_update(index_elements=list(_KEY), set_=sums)
