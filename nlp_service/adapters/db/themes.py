"""The theme store: what runs find and people decide, each in one transaction with its events."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Table, delete, func, insert, select, update

from nlp_service.adapters.db.columns import insert_new
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import labellings, messages
from nlp_service.adapters.db.tables.themes import (
    leases,
    theme_anchors,
    theme_events,
    theme_members,
    theme_spaces,
    theme_windows,
    themes,
)
from nlp_service.adapters.db.theme_documents import decode_measure, decode_theme, encode_measure, encode_theme
from nlp_service.core.delivery.events import ThemeEvent, decode, encode
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.stored import Window
from nlp_service.core.themes import lifecycle
from nlp_service.core.themes.announce import announce
from nlp_service.core.themes.assign import Anchors
from nlp_service.core.themes.mining import Mined
from nlp_service.core.themes.space import Space
from nlp_service.core.themes.standing import Before
from nlp_service.core.themes.values import Anchor, Change, Measure, Theme
from nlp_service.errors import NotFound
from nlp_service.ports import Heard, LiveCount

Publish = Callable[[Connection, ThemeEvent], None]  # queues an event for delivery, within the same transaction
_PAGE = 2000


def _now() -> datetime:
    return datetime.now(UTC)


class Themes:
    """ports.ThemeStore on a database."""

    def __init__(
        self,
        database: Database,
        *,
        publish: Publish | None = None,
        public_url: str | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._publish = publish
        self._public_url = public_url
        self._clock = clock

    def themes(self, *, states: Collection[str] | None = None) -> tuple[Theme, ...]:
        """Return every theme, also merged and dismissed ones, or those in some states, greatest share first."""
        query = select(themes.c.document).order_by(themes.c.share.desc(), themes.c.id)
        if states is not None:
            query = query.where(themes.c.state.in_(states))
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(decode_theme(row.document) for row in rows)

    def get(self, theme_id: str) -> Theme:
        """Return a theme; raises NotFound."""
        return self._database.read(lambda connection: _get(connection, theme_id))

    def before(self, model: ModelIdentity, window: Window) -> Before:
        """Return what is known for a run: themes, this model's anchors and space, and the window's members."""
        return self._database.read(lambda connection: _before(connection, model, window))

    def commit(self, mined: Mined, *, read_at: datetime) -> tuple[ThemeEvent, ...]:
        """Store a run whole. What people decided since ``read_at`` wins over what the run made of the theme."""
        return self._database.transaction(partial(self._commit, mined, read_at))

    def decide(
        self, theme_id: str, decision: Callable[[Theme], lifecycle.Moved], *, into: str | None = None
    ) -> tuple[Theme, tuple[ThemeEvent, ...]]:
        """Apply a person's decision to a theme; raises NotFound, and Conflict where the state does not allow it.

        ``into`` names a second theme that must exist; the members of a merged theme go over to it.
        """
        return self._database.transaction(partial(self._decide, theme_id, decision, into))

    def add(self, theme: Theme, anchors: Sequence[Anchor], changes: Sequence[Change]) -> tuple[ThemeEvent, ...]:
        """Store a theme that a person made."""

        def write(connection: Connection) -> tuple[ThemeEvent, ...]:
            self._write_themes(connection, [theme])
            _write_anchors(connection, anchors)
            return self._write_events(connection, changes, {theme.id: theme})

        return self._database.transaction(write)

    def anchors(self, theme_id: str) -> tuple[Anchor, ...]:
        """Return where a theme lies in each model's space."""
        query = select(theme_anchors).where(theme_anchors.c.theme_id == theme_id)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_anchor(row) for row in rows)

    def space(self, model: ModelIdentity) -> Space | None:
        return self._database.read(lambda connection: _space(connection, model))

    def index(self, model: ModelIdentity) -> tuple[Anchors, Mapping[str, str]] | None:
        """Return one model's anchors and the titles of their themes, for matching in memory; None without a run."""
        return self._database.read(lambda connection: _index(connection, model))

    def revision(self) -> tuple[int, datetime | None]:
        """Return something that differs whenever a theme changed."""
        query = select(func.count(), func.max(themes.c.updated_at)).select_from(themes)
        row = self._database.read(lambda connection: connection.execute(query).one())
        return int(row[0]), row[1]

    def events(self, *, theme_id: str | None = None, limit: int = 200) -> tuple[ThemeEvent, ...]:
        """Return the newest events, newest first."""
        query = select(theme_events.c.document).order_by(theme_events.c.id.desc()).limit(limit)
        if theme_id is not None:
            query = query.where(theme_events.c.theme_id == theme_id)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(decode(row.document) for row in rows)

    def timeline(self, theme_id: str, *, limit: int = 104) -> tuple[Measure, ...]:
        """Return a theme's measures, oldest first, of the newest windows."""
        query = (
            select(theme_windows.c.document)
            .where(theme_windows.c.theme_id == theme_id)
            .order_by(theme_windows.c.end_at.desc())
            .limit(limit)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(decode_measure(row.document) for row in reversed(rows))

    def heard(self, theme_id: str, *, limit: int = 50, offset: int = 0) -> tuple[Heard, ...]:
        """Return a theme's messages, newest first, masked."""
        query = (
            select(messages, theme_members.c.similarity)
            .join(theme_members, theme_members.c.message_id == messages.c.id)
            .where(theme_members.c.theme_id == theme_id)
            .order_by(theme_members.c.occurred_at.desc(), messages.c.id)
            .limit(limit)
            .offset(offset)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_heard(row) for row in rows)

    def routed(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the department that each of these messages is routed to by its current labelling."""
        found: dict[str, str] = {}
        for start in range(0, len(message_ids), _PAGE):
            wanted = labellings.c.message_id.in_(message_ids[start : start + _PAGE])
            query = select(labellings.c.message_id, labellings.c.department).where(wanted).order_by(labellings.c.id)
            rows = self._database.read(lambda connection, query=query: connection.execute(query).all())  # type: ignore[misc]
            found.update((row.message_id, row.department) for row in rows)
        return found

    def live(self, window: Window) -> Mapping[str, LiveCount]:
        """Count each theme's messages and customers of a window as they are assigned at this moment."""
        customer = func.coalesce(messages.c.customer_id, messages.c.id)
        query = (
            select(theme_members.c.theme_id, func.count(), func.count(func.distinct(customer)))
            .join(messages, messages.c.id == theme_members.c.message_id)
            .where(theme_members.c.occurred_at >= window.start, theme_members.c.occurred_at < window.end)
            .group_by(theme_members.c.theme_id)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {row[0]: LiveCount(messages=row[1], customers=row[2]) for row in rows}

    def acquire(self, name: str, *, holder: str, until: datetime) -> bool:
        """Take or prolong a lease; False while somebody else holds it."""

        def take(connection: Connection) -> bool:
            fresh = insert_new(leases, connection.dialect.name).values(name=name, holder=holder, until=until)
            if connection.execute(fresh.returning(leases.c.name)).first() is not None:
                return True
            free = (leases.c.holder == holder) | (leases.c.until < self._clock())
            taken = update(leases).where(leases.c.name == name, free).values(holder=holder, until=until)
            return connection.execute(taken).rowcount == 1

        return self._database.transaction(take)

    def release(self, name: str, *, holder: str) -> None:
        """Give a lease back; one that was lost is left alone."""
        gone = delete(leases).where(leases.c.name == name, leases.c.holder == holder)
        self._database.transaction(lambda connection: connection.execute(gone) and None)

    def _commit(self, mined: Mined, read_at: datetime, connection: Connection) -> tuple[ThemeEvent, ...]:
        decided = {
            row.id: decode_theme(row.document)
            for row in connection.execute(select(themes).where(themes.c.updated_at > read_at))
        }
        current = {theme.id: _kept(theme, decided.get(theme.id)) for theme in mined.themes}
        self._write_themes(connection, list(current.values()))
        _write_space(connection, mined)
        _write_anchors(connection, mined.anchors)
        _write_members(connection, mined)
        _write_windows(connection, mined, current)
        changes = [change for change in mined.changes if change.theme_id not in decided]
        return self._write_events(connection, changes, current)

    def _decide(
        self,
        theme_id: str,
        decision: Callable[[Theme], lifecycle.Moved],
        into: str | None,
        connection: Connection,
    ) -> tuple[Theme, tuple[ThemeEvent, ...]]:
        theme, changes = decision(_get(connection, theme_id, lock=True))
        self._write_themes(connection, [theme])
        if into is not None:
            moved = update(theme_members).where(theme_members.c.theme_id == theme_id).values(theme_id=into)
            connection.execute(moved)
        return theme, self._write_events(connection, changes, {theme.id: theme})

    def _write_themes(self, connection: Connection, changed: Sequence[Theme]) -> None:
        now = self._clock()
        rows = [
            {
                "id": theme.id,
                "state": theme.state,
                "title": theme.title,
                "merged_into": theme.merged_into,
                "share": theme.measure.share.value if theme.measure else 0.0,
                "updated_at": now,
                "document": encode_theme(theme),
            }
            for theme in changed
        ]
        known = set(connection.execute(select(themes.c.id)).scalars())
        fresh = [row for row in rows if row["id"] not in known]
        if fresh:
            connection.execute(insert(themes), fresh)
        for row in rows:
            if row["id"] in known:
                connection.execute(update(themes).where(themes.c.id == row["id"]).values(**row))

    def _write_events(
        self, connection: Connection, changes: Sequence[Change], current: Mapping[str, Theme]
    ) -> tuple[ThemeEvent, ...]:
        written = []
        for change in changes:
            event = announce(change, current[change.theme_id], public_url=self._public_url)
            row = {
                "event_id": event.id,
                "theme_id": event.theme_id,
                "kind": event.kind,
                "at": event.at,
                "document": encode(event),
            }
            fresh = insert_new(theme_events, connection.dialect.name).values(**row).returning(theme_events.c.id)
            if connection.execute(fresh).first() is None:
                continue
            if self._publish is not None:
                self._publish(connection, event)
            written.append(event)
        return tuple(written)


def _kept(mined: Theme, decided: Theme | None) -> Theme:
    """Return what a run made of a theme, or, where a person decided meanwhile, their theme with the run's numbers."""
    if decided is None:
        return mined
    return replace(
        decided,
        name=replace(mined.name, title=decided.title),
        measure=mined.measure,
        intents=mined.intents,
        departments=mined.departments,
        products=mined.products,
        parts=mined.parts,
        first_seen=mined.first_seen,
        last_seen=mined.last_seen,
    )


def _get(connection: Connection, theme_id: str, *, lock: bool = False) -> Theme:
    query = select(themes.c.document).where(themes.c.id == theme_id)
    document = connection.execute(query.with_for_update() if lock else query).scalar_one_or_none()
    if document is None:
        raise NotFound(f"there is no theme {theme_id!r}: `nlp-service themes list` shows those there are")
    return decode_theme(document)


def _before(connection: Connection, model: ModelIdentity, window: Window) -> Before:
    known = connection.execute(select(themes.c.document).order_by(themes.c.id)).scalars()
    anchored = connection.execute(_of_model(theme_anchors, model).order_by(theme_anchors.c.theme_id)).all()
    members = select(theme_members.c.message_id, theme_members.c.theme_id).where(
        theme_members.c.occurred_at >= window.start, theme_members.c.occurred_at < window.end
    )
    return Before(
        themes=tuple(decode_theme(document) for document in known),
        anchors=tuple(_anchor(row) for row in anchored),
        members={row.message_id: row.theme_id for row in connection.execute(members)},
        space=_space(connection, model),
    )


def _index(connection: Connection, model: ModelIdentity) -> tuple[Anchors, Mapping[str, str]] | None:
    space = _space(connection, model)
    if space is None:
        return None
    rows = connection.execute(select(themes.c.id, themes.c.title, themes.c.state, themes.c.merged_into)).all()
    successors = {row.id: row.merged_into for row in rows if row.merged_into}
    titles = {row.id: row.title for row in rows if not row.merged_into and row.state != "dismissed"}
    found = []
    for row in connection.execute(_of_model(theme_anchors, model).order_by(theme_anchors.c.theme_id)):
        key = row.theme_id
        for _ in range(len(successors)):
            key = successors.get(key, key)
        found.append((key, row.centroid, row.threshold))
    return Anchors.of(space, found), titles


def _of_model(table: Table, model: ModelIdentity) -> Any:
    return select(table).where(table.c.model_name == model.name, table.c.model_version == model.version)


def _space(connection: Connection, model: ModelIdentity) -> Space | None:
    row = connection.execute(_of_model(theme_spaces, model)).first()
    return None if row is None else Space(origin=np.frombuffer(row.origin, dtype="<f4").astype(np.float32))


def _write_space(connection: Connection, mined: Mined) -> None:
    origin = np.asarray(mined.space.origin, dtype="<f4").tobytes()
    fresh = insert_new(theme_spaces, connection.dialect.name)
    connection.execute(fresh.values(model_name=mined.model.name, model_version=mined.model.version, origin=origin))


def _write_anchors(connection: Connection, anchors: Sequence[Anchor]) -> None:
    for anchor in anchors:
        key = (
            theme_anchors.c.theme_id == anchor.theme_id,
            theme_anchors.c.model_name == anchor.model.name,
            theme_anchors.c.model_version == anchor.model.version,
        )
        values = {"centroid": anchor.centroid, "threshold": anchor.threshold}
        if connection.execute(update(theme_anchors).where(*key).values(**values)).rowcount == 0:
            row = {
                "theme_id": anchor.theme_id,
                "model_name": anchor.model.name,
                "model_version": anchor.model.version,
                **values,
            }
            connection.execute(insert(theme_anchors), [row])


def _write_members(connection: Connection, mined: Mined) -> None:
    """Replace the members of the span that the run read; messages that came meanwhile keep theirs."""
    if not mined.members:
        return
    first = min(member.occurred_at for member in mined.members)
    span = (theme_members.c.occurred_at >= first, theme_members.c.occurred_at < mined.window.end)
    connection.execute(delete(theme_members).where(*span))
    rows = [
        {
            "message_id": member.message_id,
            "theme_id": member.theme_id,
            "similarity": member.similarity,
            "occurred_at": member.occurred_at,
        }
        for member in mined.members
    ]
    for start in range(0, len(rows), _PAGE):
        page = rows[start : start + _PAGE]
        # A customer's messages may have been removed while the run read them.
        ids = [row["message_id"] for row in page]
        stored = set(connection.execute(select(messages.c.id).where(messages.c.id.in_(ids))).scalars())
        if kept := [row for row in page if row["message_id"] in stored]:
            connection.execute(insert_new(theme_members, connection.dialect.name), kept)


def _write_windows(connection: Connection, mined: Mined, current: Mapping[str, Theme]) -> None:
    end = mined.window.end
    connection.execute(delete(theme_windows).where(theme_windows.c.end_at == end))
    rows = [
        {"theme_id": theme.id, "end_at": end, "document": encode_measure(theme.measure)}
        for theme in current.values()
        if theme.measure is not None and theme.measure.window.end == end
    ]
    if rows:
        connection.execute(insert(theme_windows), rows)


def _anchor(row: Row[Any]) -> Anchor:
    return Anchor(
        theme_id=row.theme_id,
        model=ModelIdentity(name=row.model_name, version=row.model_version),
        centroid=row.centroid,
        threshold=row.threshold,
    )


def _heard(row: Row[Any]) -> Heard:
    return Heard(
        message_id=row.id,
        text=row.text,
        occurred_at=row.occurred_at,
        channel=row.channel,
        product=row.product,
        region=row.region,
        similarity=row.similarity,
    )
