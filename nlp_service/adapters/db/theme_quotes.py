"""What a theme quotes of a customer who asks to be forgotten."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, Table, select, update

from nlp_service.adapters.db.tables.messages import messages
from nlp_service.adapters.db.tables.themes import theme_events, theme_windows, themes


def erase_quotes(connection: Connection, message_ids: Sequence[str]) -> int:
    """Take the quotes and copied texts of these messages out of themes, measures and events; returns documents changed.

    Call it while the messages are still stored: events hold the words alone.
    """
    query = select(messages.c.text).where(messages.c.id.in_(message_ids))
    texts = set(connection.execute(query).scalars())
    ids = set(message_ids)
    changed = 0
    for table, keys in ((themes, ("id",)), (theme_windows, ("theme_id", "end_at")), (theme_events, ("id",))):
        changed += _clean(connection, table, keys, ids, texts)
    return changed


def _clean(
    connection: Connection, table: Table, keys: Sequence[str], ids: Collection[str], texts: Collection[str]
) -> int:
    changed = 0
    for row in connection.execute(select(table)).all():
        cleaned = _without(row.document, ids, texts)
        if cleaned != row.document:
            where = [table.c[key] == getattr(row, key) for key in keys]
            connection.execute(update(table).where(*where).values(document=cleaned))
            changed += 1
    return changed


def _without(value: Any, ids: Collection[str], texts: Collection[str]) -> Any:
    """Return the document without entries that are, or quote, one of these messages."""
    if isinstance(value, dict):
        return {key: _without(entry, ids, texts) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without(entry, ids, texts) for entry in value if not _quotes(entry, ids, texts)]
    return value


def _quotes(entry: Any, ids: Collection[str], texts: Collection[str]) -> bool:
    if isinstance(entry, str):
        return entry in texts
    return isinstance(entry, dict) and (entry.get("message_id") in ids or entry.get("text") in texts)
