"""A database filled as months of use fill one: messages with labellings, themes with members, deliveries, jobs."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import numpy as np
from sqlalchemy import Connection, insert, text

from nlp_service.adapters.db import counting
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.documents import encode
from nlp_service.adapters.db.jobs import Jobs
from nlp_service.adapters.db.messages import text_hash
from nlp_service.adapters.db.tables import labellings, messages, theme_members, theme_windows
from nlp_service.adapters.db.theme_documents import encode_measure
from nlp_service.adapters.db.themes import Themes
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.core.themes.values import Change, FixEffect, Interval, Theme
from nlp_service.flows.subscribe import Subscribe
from tests.examples import labelling, theme

DAYS = 180
THEMES = 200
WINDOWS = 26
EVENTS = 5000
JOBS = 200
SIZE = 384  # of an embedding
CHUNK = 5000
BASE = 20_000  # messages that are made one by one
STEP_MINUTES = 37
TIMES = ("sent_at", "received_at", "occurred_at", "created_at")
CHANNELS = ("wechat", "app", "phone", "taobao", "email", None)
SENTIMENTS = ("very_negative", "negative", "neutral", "positive", "very_positive")
TEXT = "第{number}次了，{thing}的快递到现在一动不动，打电话也没人接，你们到底管不管？"
THINGS = ("破壁机", "空调", "扫地机器人", "净水器", "手机", "耳机")


def fill(database: Database, taxonomy: Taxonomy, *, count: int, subscribe: Subscribe | None = None) -> None:
    """Store ``count`` messages of the last DAYS days with one labelling each, and what belongs to them.

    The first BASE are made one by one; the rest are their copies under other ids, each round some minutes earlier.
    """
    now = datetime.now(UTC)
    found = _themes(database, now)
    rows = _rows(taxonomy, found, count=min(count, BASE), now=now)
    while chunk := list(islice(rows, CHUNK)):
        database.transaction(lambda connection, chunk=chunk: _insert(connection, chunk))
    for number in range(1, count // BASE):
        database.transaction(lambda connection, number=number: _copy(connection, number))
    database.transaction(counting.recount)
    if subscribe is not None:
        _deliveries(database, subscribe, found, now)
    for _ in range(JOBS):
        Jobs(database).submit("benchmark", {"file": "history.jsonl"}, by="benchmark", at=now)


def _rows(taxonomy: Taxonomy, found: list[Theme], *, count: int, now: datetime) -> Iterator[tuple[dict[str, Any], ...]]:
    chance = random.Random(5)
    intents = list(taxonomy.intents.values())
    weights = [1 / (place + 1) for place in range(len(intents))]  # a few intents are most of what is heard
    document = encode(labelling(size=SIZE))
    vectors = np.random.default_rng(5).standard_normal((512, SIZE)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    for number in range(count):
        hour = min(max(chance.gauss(6, 4), 0), 23.9)  # UTC: working hours in Shanghai
        at = (now - timedelta(days=chance.random() * DAYS)).replace(hour=int(hour), minute=chance.randrange(60))
        intent = chance.choices(intents, weights)[0]
        said = TEXT.format(number=number, thing=chance.choice(THINGS))
        key = f"b{number}"
        message = {
            "id": key, "text": said, "context": [], "channel": chance.choice(CHANNELS),
            "customer_id": f"c-{chance.randrange(1 + count // 4)}", "product": chance.choice(THINGS), "sent_at": at,
            "received_at": at, "occurred_at": at, "text_hash": text_hash(said),
            "language": "zh",
        }  # fmt: skip
        opinion = {
            "message_id": key, "model_name": "feedback", "model_version": "1.0.0", "created_at": at, "occurred_at": at,
            "intent": intent.id, "intent_confidence": 0.9, "sentiment": chance.choice(SENTIMENTS),
            "sentiment_score": 0.0, "emotion": "neutral", "flags": [], "urgency": "normal", "language": "zh",
            "script": "Hans", "priority": chance.choices(("urgent", "normal", "low"), (1, 6, 3))[0],
            "respond_within_minutes": 60, "department": intent.department, "needs_human": chance.random() < 0.3,
            "out_of_scope": 0.0, "document": document, "embedding": vectors[number % len(vectors)],
        }  # fmt: skip
        member = {"message_id": key, "theme_id": chance.choice(found).id, "similarity": 0.9, "occurred_at": at}
        yield (message, opinion, member) if chance.random() < 0.3 else (message, opinion)


def _insert(connection: Connection, chunk: list[tuple[dict[str, Any], ...]]) -> None:
    for place, table in enumerate((messages, labellings, theme_members)):
        rows = [row[place] for row in chunk if len(row) > place]
        if rows:
            connection.execute(insert(table), rows)


def _copy(connection: Connection, number: int) -> None:
    """Copy the base rows, moved back in time."""
    if connection.dialect.name == "sqlite":
        moved = f"strftime('%Y-%m-%d %H:%M:%f', {{name}}, '-{STEP_MINUTES * number} minutes') || '000'"
    else:
        moved = f"{{name}} - interval '{STEP_MINUTES * number} minutes'"
    for table, key in ((messages, "id"), (labellings, "message_id"), (theme_members, "message_id")):
        columns = [column.name for column in table.c if not (table is labellings and column.name == "id")]
        values = []
        for name in columns:
            if name == key:
                values.append(f"'c{number}' || {name}")
            elif name in TIMES:
                values.append(moved.format(name=name))
            else:
                values.append(name)
        listed, made = ", ".join(columns), ", ".join(values)
        base = f"{key} >= 'b' AND {key} < 'c'"  # a range of the index
        connection.execute(text(f"INSERT INTO {table.name} ({listed}) SELECT {made} FROM {table.name} WHERE {base}"))


def _themes(database: Database, now: datetime) -> list[Theme]:
    """Store themes with half a year of windows; every tenth is fixed, with a verdict."""
    effect = FixEffect(
        verdict="worked", ratio=Interval(value=0.3, low=0.2, high=0.5), days_before=28, days_after=14, because="0.30"
    )
    found = []
    for number in range(THEMES):
        made = theme(f"第{number}个主题：说明书看不懂", departments=("product_team",), at=now)
        if number % 10 == 0:
            made = replace(made, state="fixed", fixed_at=now - timedelta(days=20), fixed_by="mei", fix=effect)
        found.append(made)
        Themes(database).add(made, (), (Change(theme_id=made.id, kind="new", reason="first heard of", at=now),))
    rows = []
    for made in found:
        assert made.measure is not None
        for week in range(WINDOWS):
            end = now - timedelta(weeks=week)
            rows.append({"theme_id": made.id, "end_at": end, "document": encode_measure(made.measure)})
    database.transaction(lambda connection: connection.execute(insert(theme_windows), rows) and None)
    return found


def _deliveries(database: Database, subscribe: Subscribe, found: list[Theme], now: datetime) -> None:
    """Queue events for ten endpoints that are paused, so that nothing leaves."""
    for number in range(10):
        made = subscribe.create(
            name=f"team {number}", channel="webhook", target=Target(url="https://hooks.example/x"), by="benchmark"
        )
        subscribe.pause(made.subscription.id, by="benchmark")

    def queue(connection: Connection) -> None:
        for number in range(EVENTS // 10):
            event = sample_event(f"evt_bench_{number}", at=now - timedelta(minutes=number))
            enqueue(connection, replace(event, theme_id=found[number % len(found)].id), at=event.at)

    database.transaction(queue)
