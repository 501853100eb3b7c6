"""The message store: messages and labellings, appended and read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection, Row, Select, func, select, tuple_

from nlp_service.adapters.db import counting, documents
from nlp_service.adapters.db.columns import insert_new, storable
from nlp_service.adapters.db.counting import Counted
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.gathering import Gatherer
from nlp_service.adapters.db.tables import labellings, messages, theme_members
from nlp_service.adapters.db.tables.messages import current_labellings
from nlp_service.contract.text import normalise
from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.core.labelling import Labelling, ModelIdentity
from nlp_service.core.messages import Message
from nlp_service.core.stored import LabelledMessage, LabelledPage, StoredMessage, Window
from nlp_service.errors import NotFound
from nlp_service.ports import Sealer

HISTORY_LIMIT = 200  # newest messages of a customer that a history holds; a bot may have written a million
PAGE = 2000

Row_ = Row[Any]
_Fields = dict[str, Any]
_HISTORY = (
    messages.c.customer_id,
    messages.c.id,
    messages.c.occurred_at,
    labellings.c.intent,
    labellings.c.sentiment,
    labellings.c.sentiment_score,
    labellings.c.flags,
    labellings.c.priority,
)
_LABELLED = (
    labellings.c.id,
    labellings.c.message_id,
    labellings.c.occurred_at,
    messages.c.text,
    messages.c.text_hash,
    messages.c.channel,
    messages.c.customer_id,
    messages.c.customer_tier,
    messages.c.product,
    messages.c.region,
    labellings.c.language,
    labellings.c.intent,
    labellings.c.intent_confidence,
    labellings.c.sentiment,
    labellings.c.sentiment_score,
    labellings.c.emotion,
    labellings.c.flags,
    labellings.c.priority,
    labellings.c.department,
    labellings.c.needs_human,
    labellings.c.out_of_scope,
    labellings.c.embedding,
)


def _now() -> datetime:
    return datetime.now(UTC)


class Messages:
    """ports.MessageStore on a database."""

    def __init__(
        self,
        database: Database,
        *,
        mask: Callable[[str], str],  # hides personal data in context turns; the text comes masked
        sealer: Sealer | None = None,  # for the text as it was sent
        keep_raw_text: bool = False,  # needs the sealer
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self._database = database
        self._mask = mask
        self._sealer = sealer
        self._keep_raw_text = keep_raw_text
        self._clock = clock
        self._gatherer = Gatherer(database, _insert)

    def save(self, labelled: Sequence[tuple[Message, Labelling]]) -> Future[None]:
        """Store each message once per id and each labelling once per message and model version."""
        now = self._clock()
        rows = [
            (self._message_row(message, labelling, now), _labelling_row(labelling, now))
            for message, labelling in labelled
        ]
        return self._gatherer.add(rows)

    def histories(self, customers: Sequence[str], *, since: datetime) -> Mapping[str, CustomerHistory]:
        """Current labellings of these customers' newest messages since a time, at most HISTORY_LIMIT each."""
        if not customers:
            return {}
        newest = _newest(sorted(set(customers)), since).subquery()
        query = (
            current_labellings()
            .add_columns(*_HISTORY)
            .join(newest, newest.c.id == messages.c.id)
            .order_by(messages.c.occurred_at, messages.c.id)
        )
        rows = self._database.read(lambda connection: connection.execute(query).all())
        past: dict[str, list[PastMessage]] = {}
        for row in rows:
            past.setdefault(row.customer_id, []).append(_past(row))
        return {key: CustomerHistory(customer_id=key, messages=tuple(entries)) for key, entries in past.items()}

    def get(self, message_id: str) -> StoredMessage:
        """Return a message with all its labellings; raises NotFound."""
        found = self._messages(messages.c.id == message_id, limit=1)
        if not found:
            raise NotFound(f"no message {message_id!r} is stored")
        return found[0]

    def customer(self, customer_id: str, *, limit: int = HISTORY_LIMIT) -> tuple[StoredMessage, ...]:
        """Return a customer's newest messages, newest first; raises NotFound for one never seen."""
        found = self._messages(messages.c.customer_id == customer_id, limit=limit)
        if not found:
            raise NotFound(f"no message of customer {customer_id!r} is stored")
        return found

    def raw_text(self, message_id: str) -> str | None:
        """Return the text as it was sent, None where it was not kept; raises NotFound."""
        query = select(messages.c.raw_text).where(messages.c.id == message_id)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"no message {message_id!r} is stored")
        if row.raw_text is None or self._sealer is None:
            return None
        return self._sealer.open(bytes(row.raw_text), belongs_to=raw_text_owner(message_id)).decode()

    def models(self, window: Window) -> Mapping[ModelIdentity, int]:
        """Count the messages of a window that each model version has labelled."""
        columns = (labellings.c.model_name, labellings.c.model_version)
        query = select(*columns, func.count().label("n")).where(*_inside(window)).group_by(*columns)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return {ModelIdentity(name=row.model_name, version=row.model_version): row.n for row in rows}

    def labelled(self, window: Window, *, model: ModelIdentity, page: int = PAGE) -> Iterator[LabelledPage]:
        """Stream what one model version said of a window's messages, ascending time, in pages.

        Each page is a transaction of its own, so that a long run holds nothing; rows added behind the position
        meanwhile are not seen.
        """
        query = (
            select(*_LABELLED)
            .join(messages, messages.c.id == labellings.c.message_id)
            .where(*_inside(window))
            .where(labellings.c.model_name == model.name, labellings.c.model_version == model.version)
            .order_by(labellings.c.occurred_at, labellings.c.id)
            .limit(page)
        )
        position = tuple_(labellings.c.occurred_at, labellings.c.id)
        rows = self._rows(query)
        while rows:
            yield _page(rows, model)
            last = rows[-1]
            rows = self._rows(query.where(position > (last.occurred_at, last.id))) if len(rows) == page else []

    def newest(self, window: Window, *, model: ModelIdentity, limit: int = PAGE) -> LabelledPage | None:
        """Return what one model version said of a window's newest messages, newest first; None of none."""
        query = (
            select(*_LABELLED)
            .join(messages, messages.c.id == labellings.c.message_id)
            .where(*_inside(window))
            .where(labellings.c.model_name == model.name, labellings.c.model_version == model.version)
            .order_by(labellings.c.occurred_at.desc(), labellings.c.id.desc())
            .limit(limit)
        )
        rows = self._rows(query)
        return _page(rows, model) if rows else None

    def stored(self, window: Window, *, page: int = PAGE) -> Iterator[StoredMessage]:
        """Stream a window's messages with their labellings, ascending time, a page a transaction."""
        query = select(messages).where(messages.c.occurred_at >= window.start, messages.c.occurred_at < window.end)
        query = query.order_by(messages.c.occurred_at, messages.c.id).limit(page)
        position = tuple_(messages.c.occurred_at, messages.c.id)
        found = self._load(query)
        while found:
            yield from found
            last = found[-1]
            found = (
                self._load(query.where(position > (last.occurred_at, last.message.id))) if len(found) == page else ()
            )

    def _sealed(self, message: Message) -> bytes | None:
        if self._sealer is None or not self._keep_raw_text:
            return None
        plain = message.text.encode("utf-8", "replace")
        return self._sealer.seal(plain, belongs_to=raw_text_owner(storable(message.id)))

    def _rows(self, query: Any) -> Sequence[Row_]:
        return self._database.read(lambda connection: connection.execute(query).all())

    def _messages(self, condition: Any, *, limit: int) -> tuple[StoredMessage, ...]:
        query = select(messages).where(condition).order_by(messages.c.occurred_at.desc(), messages.c.id).limit(limit)
        return self._load(query)

    def _load(self, query: Any) -> tuple[StoredMessage, ...]:
        """Run a query for messages and add their labellings."""

        def load(connection: Connection) -> tuple[StoredMessage, ...]:
            rows = connection.execute(query).all()
            chosen = labellings.c.message_id.in_([row.id for row in rows])
            newest_first = select(labellings).where(chosen).order_by(labellings.c.id.desc())
            by_message: dict[str, list[Row_]] = {}
            for labelling in connection.execute(newest_first):
                by_message.setdefault(labelling.message_id, []).append(labelling)
            return tuple(_stored(row, by_message.get(row.id, [])) for row in rows)

        return self._database.read(load)

    def _row(self, message: Message, labelling: Labelling, now: datetime) -> tuple[_Fields, _Fields]:
        return self._message_row(message, labelling, now), _labelling_row(labelling, now)

    def _message_row(self, message: Message, labelling: Labelling, now: datetime) -> dict[str, Any]:
        return {
            "id": storable(message.id),
            "text": labelling.masked_text,
            "raw_text": self._sealed(message),
            "context": [storable(self._mask(turn)) for turn in message.context],
            "channel": message.channel,
            "customer_id": message.customer_id,
            "customer_tier": message.customer_tier,
            "product": message.product,
            "region": message.region,
            "sent_at": message.sent_at,
            "received_at": now,
            "occurred_at": message.sent_at or now,
            "amount": message.amount,
            "text_hash": text_hash(labelling.masked_text),
            "language": labelling.language.code,
        }


def raw_text_owner(message_id: str) -> str:
    """Name what a sealed text belongs to."""
    return f"message {message_id!r}"


def text_hash(masked_text: str) -> str:
    """Return what equal texts share after normalising: 128 bits in hexadecimal."""
    normalised = storable(normalise(masked_text)).encode()
    return hashlib.blake2b(normalised, digest_size=16).hexdigest()


def _insert(connection: Connection, rows: Sequence[tuple[_Fields, _Fields]]) -> None:
    """Insert (message, labelling) rows; a labelling takes the time of the message that is stored."""
    for start in range(0, len(rows), PAGE):
        _insert_page(connection, rows[start : start + PAGE])


def _insert_page(connection: Connection, rows: Sequence[tuple[_Fields, _Fields]]) -> None:
    dialect = connection.dialect.name
    added = insert_new(messages, dialect).returning(messages.c.id, messages.c.occurred_at, messages.c.channel)
    stored = {row.id: row for row in connection.execute(added, [message for message, _ in rows])}
    new = frozenset(stored)
    held = counting.hold(connection, {message["id"] for message, _ in rows} - new)
    stored.update((row.id, row) for row in held)
    known = [row.id for row in held]
    given = [
        {**labelling, "occurred_at": stored[labelling["message_id"]].occurred_at}
        for _, labelling in rows
        if labelling["message_id"] in stored  # else its customer was erased meanwhile
    ]
    if not given:
        return
    before = counting.current(connection, known) if known else []
    connection.execute(insert_new(labellings, dialect), given)
    after = counting.current(connection, known) if known else []
    fresh = _current([labelling for labelling in given if labelling["message_id"] in new])
    after += [Counted.of(stored[key].occurred_at, stored[key].channel, labelling) for key, labelling in fresh.items()]
    counting.change(connection, before=before, after=after)
    members = [member for labelling in given if (member := _theme_member(labelling)) is not None]
    if members:
        connection.execute(insert_new(theme_members, dialect), members)


def _current(given: Sequence[_Fields]) -> Mapping[str, _Fields]:
    """Return the last labelling of each message that was new; of two by the same model the first was kept."""
    seen: set[tuple[str, str, str]] = set()
    newest: dict[str, _Fields] = {}
    for labelling in given:
        key = (labelling["message_id"], labelling["model_name"], labelling["model_version"])
        if key not in seen:
            seen.add(key)
            newest[labelling["message_id"]] = labelling
    return newest


def _theme_member(labelling: Mapping[str, Any]) -> _Fields | None:
    """Return the row that counts a message for its nearest theme at once."""
    matched = labelling["document"]["themes"]
    if not matched:
        return None
    theme_id, _, similarity = matched[0]
    return {
        "message_id": labelling["message_id"],
        "theme_id": theme_id,
        "similarity": similarity,
        "occurred_at": labelling["occurred_at"],
    }


def _newest(customers: Sequence[str], since: datetime) -> Select[tuple[str]]:
    """Select the ids of each customer's newest messages."""
    if len(customers) == 1:  # the usual case: the index gives them in order, however many a bot has sent
        query = select(messages.c.id).where(messages.c.customer_id == customers[0], messages.c.occurred_at >= since)
        return query.order_by(messages.c.occurred_at.desc()).limit(HISTORY_LIMIT)
    own = messages.c.customer_id.in_(customers)
    rank = func.row_number().over(partition_by=messages.c.customer_id, order_by=messages.c.occurred_at.desc())
    ranked = select(messages.c.id, rank.label("rank")).where(own, messages.c.occurred_at >= since).subquery()
    return select(ranked.c.id).where(ranked.c.rank <= HISTORY_LIMIT)


def _inside(window: Window) -> tuple[Any, Any]:
    return labellings.c.occurred_at >= window.start, labellings.c.occurred_at < window.end


def _labelling_row(labelling: Labelling, now: datetime) -> dict[str, Any]:
    labels = labelling.labels
    return {
        "message_id": storable(labelling.message_id),
        "model_name": labelling.model.name,
        "model_version": labelling.model.version,
        "created_at": labelling.created_at or now,
        "intent": labels.intent.label,
        "intent_confidence": labels.intent.confidence,
        "sentiment": labels.sentiment.label,
        "sentiment_score": labels.sentiment.score,
        "emotion": labels.emotion.label,
        "flags": [flag.label for flag in labels.flags],
        "urgency": labels.urgency.label,
        "language": labelling.language.code,
        "script": labelling.language.script,
        "priority": labelling.priority.level,
        "respond_within_minutes": labelling.priority.respond_within_minutes,
        "department": labelling.route.department,
        "needs_human": bool(labelling.needs_human),
        "out_of_scope": labels.out_of_scope,
        "document": documents.encode(labelling),
        "embedding": labelling.embedding,
    }


def _past(row: Row_) -> PastMessage:
    return PastMessage(
        message_id=row.id,
        at=row.occurred_at,
        intent=row.intent,
        sentiment=row.sentiment,
        sentiment_score=row.sentiment_score,
        flags=tuple(row.flags),
        priority=row.priority,
    )


def _page(rows: Sequence[Row_], model: ModelIdentity) -> LabelledPage:
    fields = [row._asdict() for row in rows]
    embeddings = np.stack([entry.pop("embedding") for entry in fields])
    for entry in fields:
        del entry["id"]
        entry["flags"] = tuple(entry["flags"])
    return LabelledPage(
        model=model, messages=tuple(LabelledMessage(**entry) for entry in fields), embeddings=embeddings
    )


def _stored(row: Row_, labelling_rows: Sequence[Row_]) -> StoredMessage:
    message = Message(
        id=row.id,
        text=row.text,
        context=tuple(row.context),
        channel=row.channel,
        customer_id=row.customer_id,
        customer_tier=row.customer_tier,
        product=row.product,
        region=row.region,
        sent_at=row.sent_at,
        amount=row.amount,
    )
    return StoredMessage(
        message=message,
        received_at=row.received_at,
        occurred_at=row.occurred_at,
        labellings=tuple(_labelling(entry, row.text) for entry in labelling_rows),
    )


def _labelling(row: Row_, masked_text: str) -> Labelling:
    return documents.decode(
        row.document,
        message_id=row.message_id,
        model=ModelIdentity(name=row.model_name, version=row.model_version),
        masked_text=masked_text,
        embedding=row.embedding,
        created_at=row.created_at,
    )
