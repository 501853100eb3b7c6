"""What goes wrong with storage is said by name, and passes when its cause has passed."""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from nlp_service.adapters.db.backup import check
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.migrations import current, head, migrate
from nlp_service.adapters.db.themes import Themes
from nlp_service.errors import ConfigurationError, StorageUnavailable
from tests.examples import labelling, message
from tests.postgres import Cluster, NoPostgres

NOBODY = 65534


@pytest.fixture
def path(tmp_path: Path, make_database: Callable[[str], str]) -> Path:
    return Path(make_database("sqlite").removeprefix("sqlite:///"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        own = Cluster()
    except (NoPostgres, OSError) as exc:
        pytest.skip(f"no PostgreSQL of our own to restart: {exc}")
    try:
        own.start()
        migrate(own.url)
        yield own
    finally:
        own.remove()


@contextmanager
def unprivileged() -> Iterator[None]:
    """Root may write anywhere: be nobody for a while."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def save(database: Database, key: str, text: str = "说明书看不懂") -> None:
    Messages(database, mask=str).save([(message(key), labelling(key, text=text))]).result(30)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("data/service.db", "not a URL"),
        ("mysql://root:geheim@db/x", "'mysql' is not served"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_a_malformed_url_is_refused(url: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        Database.open(url)
    assert "geheim" not in str(caught.value)


def test_an_unreachable_server_is_named_without_its_password() -> None:
    url = "postgresql://hub:geheim@127.0.0.1:1/service?password=geheim"
    shown = re.escape("postgresql://hub:***@127.0.0.1:1/service")
    for attempt in (Database.open, migrate):
        with pytest.raises(StorageUnavailable, match=f"{shown} cannot be reached") as caught:
            attempt(url)
        assert "geheim" not in str(caught.value)


def test_a_missing_file_or_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="does not exist: run `nlp-service db migrate`"):
        Database.open(f"sqlite:///{tmp_path}/absent.db")
    assert current(f"sqlite:///{tmp_path}/absent.db") is None
    with pytest.raises(StorageUnavailable, match=r"folder .*/a/b of database .* cannot be created"):
        migrate(f"sqlite:///{tmp_path}/a/b/service.db")
    assert migrate(f"sqlite:///{tmp_path}/data/service.db") == head()  # the last folder is made


def test_a_read_only_disk_shows_at_once(path: Path) -> None:
    for parent in (path.parent, *path.parent.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(0o755)
    path.chmod(0o444)
    with unprivileged(), pytest.raises(StorageUnavailable, match=r"cannot be (written|opened)"):
        Database.open(f"sqlite:///{path}")


def test_a_full_disk_loses_nothing_that_was_acknowledged(path: Path) -> None:
    with Database.open(f"sqlite:///{path}") as database:
        save(database, "before")
        database.transaction(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=40") and None)
        with pytest.raises(StorageUnavailable, match="the disk is full"):
            save(database, "too much", "很" * 200_000)
        save(database, "after")  # the writer has a new connection and, as it were, a larger disk
        assert database.read(ids) == ["after", "before"]


def test_a_locked_file_names_the_other_writer(path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        with pytest.raises(StorageUnavailable, match="is locked by another process"):
            Database.open(f"sqlite:///{path}")
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("not a database, rather a long text that happens to lie here" * 40)
    for attempt in (Database.open, migrate):
        with pytest.raises(StorageUnavailable, match="is not a SQLite database"):
            attempt(f"sqlite:///{path}")
    assert path.read_text().startswith("not a database")


def test_a_damaged_page_is_noticed(path: Path) -> None:
    with Database.open(f"sqlite:///{path}") as database:
        for i in range(50):
            save(database, f"m-{i}", "很" * 500)
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[2 * size :] = os.urandom(len(content) - 2 * size)
    path.write_bytes(content)
    with (
        pytest.raises(StorageUnavailable, match="is damaged: restore a backup"),
        Database.open(f"sqlite:///{path}") as database,
    ):
        database.read(lambda connection: connection.execute(text("SELECT * FROM messages")).all())


def test_a_check_names_damage_and_the_remedy(path: Path) -> None:
    with Database.open(f"sqlite:///{path}") as database:
        for i in range(50):
            save(database, f"m-{i}", "很" * 500)
        assert check(f"sqlite:///{path}").revision == head()  # while it is open
    content = bytearray(path.read_bytes())
    size = int.from_bytes(content[16:18], "big")
    content[-3 * size : -size] = os.urandom(2 * size)
    path.write_bytes(content)
    with pytest.raises(StorageUnavailable, match=r"is damaged .*db restore"):
        check(f"sqlite:///{path}")


def test_two_processes_whose_clocks_differ_do_not_both_store_a_run(database_url: str) -> None:
    """A clock that jumps ahead makes a lease look expired: the other takes it, and the first one is told."""
    now = datetime.now(UTC)
    with Database.open(database_url) as database:
        first = Themes(database, clock=lambda: now)
        ahead = Themes(database, clock=lambda: now + timedelta(hours=3))
        assert first.acquire("mining", holder="first", until=now + timedelta(minutes=2))
        assert ahead.acquire("mining", holder="ahead", until=now + timedelta(hours=3, minutes=2))
        assert not first.acquire("mining", holder="first", until=now + timedelta(minutes=4))  # asked before storing
        ahead.release("mining", holder="ahead")
        assert first.acquire("mining", holder="first", until=now + timedelta(minutes=4))


def test_a_newer_database_is_refused_by_both_revisions(database_url: str) -> None:
    with Database.open(database_url) as database:
        set_revision(database, "9999")
        with pytest.raises(ConfigurationError, match=f"revision 9999, this release knows up to {head()}"):
            migrate(database_url)
        set_revision(database, head())


def test_a_busy_pool_says_so(database_url: str) -> None:
    with Database.open(database_url, pool_size=1, pool_wait=0.1) as database:
        with pytest.raises(StorageUnavailable, match="all its connections busy"):
            database.read(lambda _: database.check())
        database.check()


def test_a_server_that_restarts_is_met_again(cluster: Cluster) -> None:
    with Database.open(cluster.url) as database:
        save(database, "before")
        database.check()
        cluster.stop()
        with pytest.raises(StorageUnavailable, match=r"cannot be reached|shutting down|lost its connection"):
            save(database, "lost")
        with pytest.raises(StorageUnavailable, match="cannot be reached"):
            database.check()
        cluster.start()
        save(database, "after")
        assert database.read(ids) == ["after", "before"]


def test_a_restart_between_two_writes_is_not_felt(cluster: Cluster) -> None:
    with Database.open(cluster.url) as database:
        save(database, "first")
        database.check()
        cluster.stop()
        cluster.start()
        database.check()
        save(database, "second")
        assert {"first", "second"} <= set(database.read(ids))


def test_a_connection_cut_within_a_transaction_is_replaced(cluster: Cluster) -> None:
    cuts = []

    def cut_once(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE IF NOT EXISTS notes (body TEXT)"))
        connection.execute(text("INSERT INTO notes VALUES ('kept')"))
        if not cuts:
            cuts.append(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())
            killer.transaction(lambda other: other.execute(text(f"SELECT pg_terminate_backend({cuts[0]})")) and None)
            connection.execute(text("SELECT 1"))

    with Database.open(cluster.url) as database, Database.open(cluster.url) as killer:
        release = threading.Event()
        database.write(lambda _: release.wait(10))
        futures = [database.write(cut_once), database.write(cut_once)]
        release.set()
        assert [future.exception(30) for future in futures] == [None, None]
        count = database.read(lambda connection: connection.execute(text("SELECT count(*) FROM notes")).scalar_one())
        assert count == 2


def test_a_deadlock_between_replicas_is_tried_again(cluster: Cluster) -> None:
    meeting = threading.Barrier(2)

    def insert(first: str, second: str) -> Callable[[Connection], None]:
        def both(connection: Connection) -> None:
            statement = text("INSERT INTO pairs VALUES (:key) ON CONFLICT DO NOTHING")
            connection.execute(statement, {"key": first})
            with contextlib.suppress(threading.BrokenBarrierError):
                meeting.wait(10)  # both hold one row and ask for the other's; the second try finds nobody here
            connection.execute(statement, {"key": second})
            meeting.abort()

        return both

    with Database.open(cluster.url) as one, Database.open(cluster.url) as other:
        one.transaction(
            lambda connection: connection.execute(text("CREATE TABLE pairs (key TEXT PRIMARY KEY)")) and None
        )
        futures = [one.write(insert("a", "b")), other.write(insert("b", "a"))]
        assert [future.exception(60) for future in futures] == [None, None]


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_replicas_store_a_message_once(make_database: Callable[[str], str], kind: str) -> None:
    url = make_database(kind)
    with contextlib.ExitStack() as stack:
        stores = [Messages(stack.enter_context(Database.open(url)), mask=str) for _ in range(3)]
        futures = [
            store.save([(message(f"m-{i % 40}"), labelling(f"m-{i % 40}"))]) for i in range(120) for store in stores
        ]
        assert {future.exception(60) for future in futures} == {None}
        database = stack.enter_context(Database.open(url))
        assert len(database.read(ids)) == 40
        count = text("SELECT count(*) FROM labellings")
        assert database.read(lambda connection: connection.execute(count).scalar_one()) == 40


def test_a_killed_server_keeps_what_was_acknowledged(cluster: Cluster) -> None:
    with Database.open(cluster.url) as database:
        store = Messages(database, mask=str)
        futures = {}
        for i in range(400):
            key = f"k-{i}"
            futures[key] = store.save([(message(key), labelling(key))])
            if i == 200:
                futures[key].result(60)
                cluster.stop("immediate")
        outcomes = {key: future.exception(60) for key, future in futures.items()}
        assert all(error is None or isinstance(error, StorageUnavailable) for error in outcomes.values())
        cluster.start()
        acknowledged = {key for key, error in outcomes.items() if error is None}
        assert len(acknowledged) > 200
        assert acknowledged <= set(database.read(ids))


def ids(connection: Connection) -> list[str]:
    return list(connection.execute(text("SELECT id FROM messages ORDER BY id")).scalars())


def set_revision(database: Database, revision: str) -> None:
    statement = text("UPDATE alembic_version SET version_num = :revision")
    database.transaction(lambda connection: connection.execute(statement, {"revision": revision}) and None)
