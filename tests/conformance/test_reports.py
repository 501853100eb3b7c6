"""Counts by hour equal what a scan of every message gives, whatever was stored, labelled anew or removed."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, func, select, text

from nlp_service.adapters.db import counting
from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.folding import Folding
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.reports import Reports
from nlp_service.adapters.db.retention import Retention
from nlp_service.adapters.db.tables import count_changes, hourly_counts
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.retention import RetentionRules
from nlp_service.core.stored import Window
from nlp_service.errors import NotFound
from nlp_service.testing import START, FixedClock, ScannedReports
from tests.examples import labelling, message

ALWAYS = Window(start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))
SOME = Window(start=START, end=START + timedelta(hours=3))
DAYS = Window(start=START + timedelta(hours=6), end=START + timedelta(hours=47))  # cuts two days and holds a whole one
MODELS = [ModelIdentity(name="feedback", version=f"1.{number}.0") for number in range(3)]
WAIT = 60

saved = st.lists(
    st.tuples(
        st.integers(0, 7),  # message
        st.sampled_from(MODELS),
        st.sampled_from(["product_usage", "complaint"]),
        st.sampled_from(["negative", "positive"]),
        st.sampled_from(["urgent", "normal"]),
        st.sampled_from(["logistics", "finance"]),
        st.booleans(),
    ),
    max_size=6,
)
steps = st.one_of(
    st.tuples(st.just("save"), saved),
    st.tuples(st.just("erase"), st.integers(0, 2)),
    st.tuples(st.just("retain"), st.integers(1, 30)),
    st.tuples(st.just("fold"), st.integers(1, 5)),
    st.tuples(st.just("recount"), st.none()),
)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Database]:
    with Database.open(make_database(request.param)) as database:
        yield database


@pytest.fixture
def database(opened: Database) -> Database:
    empty(opened)
    return opened


def empty(database: Database) -> None:
    for table in ("messages", "hourly_counts", "count_changes"):
        database.transaction(lambda connection, name=table: connection.execute(text(f"DELETE FROM {name}")) and None)


def batch(entries: list[tuple[Any, ...]]) -> list[Any]:
    rows = []
    for number, model, intent, sentiment, priority, department, asks in entries:
        opinion = labelling(
            f"m-{number}", intent=intent, sentiment=sentiment, priority=priority, department=department, model=model,
            needs_human=["low_confidence"] if asks else [],
        )  # fmt: skip
        fields = {"channel": ("app", "phone", None)[number % 3], "customer_id": f"c-{number % 3}"}
        rows.append(
            (message(f"m-{number}", sent_at=START + timedelta(hours=7 * number, minutes=number), **fields), opinion)
        )
    return rows


def seen(reports: Any) -> list[Any]:
    return [
        sorted(map(repr, found))
        for window in (ALWAYS, SOME, DAYS)
        for found in (
            reports.hours(window),
            reports.hours(window, departments={"finance"}),
            reports.channels(window),
            reports.intents(window),
        )
    ]


def check(database: Database, store: Messages) -> None:
    assert seen(Reports(database)) == seen(ScannedReports(store))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(given_steps=st.lists(steps, max_size=8))
def test_counts_equal_a_scan_after_any_steps(opened: Database, given_steps: list[Any]) -> None:
    empty(opened)
    clock = FixedClock()
    store = Messages(opened, mask=str, clock=clock)
    for kind, value in given_steps:
        clock.advance(timedelta(days=1))
        if kind == "save":
            store.save(batch(value)).result(WAIT)
        elif kind == "erase":
            with contextlib.suppress(NotFound):
                Customers(opened).erase(f"c-{value}", by="tests")
        elif kind == "retain":
            Retention(opened, clock=clock).run(RetentionRules(days={"messages": value}))
        elif kind == "fold":
            Folding(opened, limit=value).run()
        else:
            opened.transaction(counting.recount)
        check(opened, store)


def test_folding_empties_the_changes_and_leaves_no_row_of_nothing(database: Database) -> None:
    store = Messages(database, mask=str)
    store.save(batch([(n, MODELS[0], "complaint", "negative", "urgent", "finance", True) for n in range(6)])).result(60)
    Folding(database, limit=2).run()
    left = database.read(lambda connection: connection.scalar(select(func.count()).select_from(count_changes)))
    assert left == 0
    check(database, store)
    for number in range(3):
        Customers(database).erase(f"c-{number}", by="tests")
    Folding(database).run()
    assert database.read(lambda connection: connection.execute(select(hourly_counts)).all()) == []


def test_counts_hold_while_replicas_label_and_erase_the_same_messages(database: Database) -> None:
    """Several processes on PostgreSQL stand for replicas: here each has a writer of its own."""
    url = str(database._reader.url.render_as_string(hide_password=False))
    replicas = [database] if database.dialect == "sqlite" else [database, *(Database.open(url) for _ in range(2))]
    begin = threading.Barrier(len(replicas) * 2 + 1)

    def label(replica: Database, model: ModelIdentity) -> None:
        begin.wait(WAIT)
        store = Messages(replica, mask=str)
        for number in range(30):
            entry = ("complaint", "negative", "urgent", ("logistics", "finance")[number % 2], number % 3 == 0)
            store.save(batch([(n, model, *entry) for n in (number % 8, (number + 3) % 8)])).result(WAIT)

    def fold(replica: Database) -> None:
        begin.wait(WAIT)
        for _ in range(20):
            Folding(replica, limit=7).run()

    def erase() -> None:
        begin.wait(WAIT)
        for number in range(12):
            with contextlib.suppress(NotFound):
                Customers(database).erase(f"c-{number % 3}", by="tests")

    with ThreadPoolExecutor(len(replicas) * 2 + 1) as threads:
        running = [threads.submit(erase)]
        running += [threads.submit(label, replica, model) for replica, model in zip(replicas, MODELS, strict=False)]
        running += [threads.submit(fold, replica) for replica in replicas]
        for done in running:
            done.result(WAIT)
    check(database, Messages(database, mask=str))
    for replica in replicas[1:]:
        replica.close()


def test_the_migration_counts_what_is_there(database: Database) -> None:
    store = Messages(database, mask=str)
    entry = ("complaint", "negative", "urgent", "finance", True)
    store.save(batch([(number, MODELS[0], *entry) for number in range(8)])).result(WAIT)
    store.save(batch([(3, MODELS[1], "product_usage", "positive", "normal", "logistics", False)])).result(WAIT)
    database.transaction(migrate_again)
    check(database, store)


def migrate_again(connection: Connection) -> None:
    module = import_module("nlp_service.adapters.db.migrations.versions.0012_counts")
    with Operations.context(MigrationContext.configure(connection)):
        module.downgrade()
        module.upgrade()
