"""Reads, group commit and migrations, on both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, bindparam, text

from nlp_service.adapters.db import engines, tables
from nlp_service.adapters.db.columns import Instant
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.failures import conflict_on_duplicate
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.migrations import current, head, migrate
from nlp_service.errors import Conflict, StorageUnavailable

WAIT = 30


@pytest.fixture
def empty_url(database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a database without any table."""
    if database_url.startswith("sqlite"):
        return f"sqlite:///{tmp_path}/empty.db"
    return str(request.getfixturevalue("postgres_databases").create(empty=True))


@pytest.fixture
def notes(database: Database) -> str:
    """Return the name of an empty table with a unique column."""
    database.transaction(lambda connection: connection.execute(text("DROP TABLE IF EXISTS notes")) and None)
    create = text("CREATE TABLE notes (body VARCHAR PRIMARY KEY)")
    database.transaction(lambda connection: connection.execute(create) and None)
    return "notes"


def add(body: str) -> Callable[[Connection], str]:
    def insert(connection: Connection) -> str:
        connection.execute(text("INSERT INTO notes VALUES (:body)"), {"body": body})
        return body

    return insert


def bodies(database: Database) -> list[str]:
    query = text("SELECT body FROM notes ORDER BY body")
    return database.read(lambda connection: list(connection.execute(query).scalars()))


def held(database: Database) -> tuple[threading.Event, Future[None]]:
    """Occupy the writer, so that what follows shares one transaction."""
    release, occupied = threading.Event(), threading.Event()

    def hold(_: Connection) -> None:
        occupied.set()
        release.wait(WAIT)

    future = database.write(hold)
    occupied.wait(WAIT)
    return release, future


@pytest.mark.usefixtures("notes")
class TestWriting:
    def test_a_write_is_there_when_its_future_resolves(self, database: Database) -> None:
        assert database.write(add("a")).result(WAIT) == "a"
        assert bodies(database) == ["a"]

    def test_one_failure_in_a_shared_transaction_harms_nobody_else(self, database: Database) -> None:
        def fails_after_writing(connection: Connection) -> None:
            add("half")(connection)
            raise KeyError("mine")

        release, _ = held(database)
        futures = [database.write(step) for step in (add("a"), fails_after_writing, add("b"), add("a"), add("c"))]
        release.set()
        wait(futures, WAIT)

        assert [future.exception() is None for future in futures] == [True, False, True, False, True]
        assert isinstance(futures[1].exception(), KeyError)
        assert bodies(database) == ["a", "b", "c"]

    def test_a_duplicate_is_a_conflict_where_asked(self, database: Database) -> None:
        def insert(connection: Connection) -> None:
            with conflict_on_duplicate("a note 'a' exists: choose another"):
                add("a")(connection)

        database.transaction(insert)
        with pytest.raises(Conflict, match="a note 'a' exists"):
            database.transaction(insert)

    def test_many_threads_lose_nothing(self, database: Database) -> None:
        with ThreadPoolExecutor(16) as pool:
            names = list(pool.map(lambda i: database.transaction(add(f"{i:04}")), range(400)))
        assert bodies(database) == names

    def test_a_read_sees_one_snapshot(self, database: Database) -> None:
        database.transaction(add("a"))

        def look_twice(connection: Connection) -> tuple[int, int]:
            query = text("SELECT count(*) FROM notes")
            before = connection.execute(query).scalar_one()
            database.transaction(add("b"))
            return before, connection.execute(query).scalar_one()

        assert database.read(look_twice) == (1, 1)

    def test_a_read_cannot_write(self, database: Database) -> None:
        with pytest.raises(StorageUnavailable, match="read-only"):
            database.read(add("a"))

    def test_a_write_within_a_write_is_refused(self, database: Database) -> None:
        with pytest.raises(RuntimeError, match="use the connection"):
            database.transaction(lambda _: database.transaction(add("a")))

    def test_an_accepted_write_cannot_be_cancelled(self, database: Database) -> None:
        release, _ = held(database)
        future = database.write(add("a"))
        assert not future.cancel()
        release.set()
        assert future.result(WAIT) == "a"


@pytest.mark.usefixtures("notes")
def test_closing_carries_out_what_was_accepted(database_url: str, database: Database) -> None:
    with Database.open(database_url) as second:
        release, _ = held(second)
        futures = [second.write(add(f"{i:03}")) for i in range(300)]
        threading.Timer(0.2, release.set).start()
    assert [future.result(0) for future in futures] == bodies(database)
    with pytest.raises(StorageUnavailable, match="is closed"):
        second.write(add("late")).result(0)


@pytest.mark.usefixtures("notes")
def test_a_full_queue_refuses_early(database_url: str) -> None:
    with Database.open(database_url, queue_limit=2) as small:
        release, _ = held(small)
        futures = [small.write(add(str(i))) for i in range(3)]
        with pytest.raises(StorageUnavailable, match="2 writes waiting"):
            futures[2].result(0)
        release.set()
        assert futures[1].result(WAIT) == "1"


def test_a_missing_table_names_the_remedy(database: Database) -> None:
    with pytest.raises(StorageUnavailable, match="db migrate"):
        database.read(lambda connection: connection.execute(text("SELECT * FROM absent")).all())
    database.check()


def test_the_tables_are_what_the_migrations_make(database_url: str) -> None:
    assert current(database_url) == head()
    assert migrate(database_url) == head()  # a second time changes nothing
    engine = engines.migrating_engine(engines.parse(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, tables.metadata)
    engine.dispose()
    assert [entry for entry in differences if "notes" not in str(entry)] == []


def test_replicas_that_migrate_together_are_safe(empty_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(migrate, [empty_url] * 4)) == {head()}


def test_data_of_the_first_release_survive_the_way_to_this_one(empty_url: str) -> None:
    assert migrate(empty_url, target="0001") == "0001"
    with Database.open(empty_url) as old:  # in plain SQL: the code of today writes to the tables of today
        row = {"at": datetime(2026, 3, 2, tzinfo=UTC)}
        insert = text(
            "INSERT INTO messages (id, text, context, received_at, occurred_at, text_hash, language) "
            "VALUES ('m-1', '说明书看不懂', '[]', :at, :at, 'x', 'zh')"
        ).bindparams(bindparam("at", type_=Instant))
        old.transaction(lambda connection: connection.execute(insert, row) and None)
    assert migrate(empty_url) == head()
    with Database.open(empty_url) as new:
        stored = Messages(new, mask=str).get("m-1")
        assert (stored.message.text, stored.occurred_at) == ("说明书看不懂", row["at"])
