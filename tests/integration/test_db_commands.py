"""`nlp-service db` and `nlp-service keys` on a real database, through the command line's own parser."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.sealing import AesSealer
from nlp_service.cli.main import app
from nlp_service.errors import ConfigurationError, Conflict, InputError, NlpServiceError, NotFound, StorageUnavailable
from tests.examples import labelling, message

OLD, NEW = (base64.b64encode(bytes(range(i, i + 32))).decode() for i in (0, 1))
ROOT = Path(__file__).parent.parent.parent
Run = Callable[..., str]


@pytest.fixture
def path(make_database: Callable[[str], str]) -> Path:
    return Path(make_database("sqlite").removeprefix("sqlite:///"))


@pytest.fixture
def run(path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command and returns its standard output, or raises what the command raised."""
    monkeypatch.setenv("NLP_SERVICE_DATABASE", f"sqlite:///{path}")

    def invoke(*arguments: str) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if isinstance(result.exception, NlpServiceError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.stdout

    return invoke


def put(path: Path, *keys: str, sealer: AesSealer | None = None) -> None:
    with Database.open(f"sqlite:///{path}") as database:
        store = Messages(database, mask=str, sealer=sealer, keep_raw_text=sealer is not None)
        store.save([(message(key, customer_id="c-1"), labelling(key)) for key in keys]).result(30)


@contextmanager
def elsewhere(path: Path) -> Iterator[None]:
    """Let another process have the database open."""
    program = """
import sys
from nlp_service.adapters.db.database import Database
with Database.open(sys.argv[1]) as database:
    database.check()
    print("open", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", program, f"sqlite:///{path}"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        yield


def ids(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        found = [row[0] for row in connection.execute("SELECT id FROM messages ORDER BY id")]
    connection.close()
    return found


def test_a_backup_taken_while_serving_is_restored(run: Run, path: Path, tmp_path: Path) -> None:
    put(path, "a", "b")
    copy = tmp_path / "copy 100%.db"
    with elsewhere(path):
        assert "at revision" in run("db", "backup", str(copy))
        with pytest.raises(Conflict, match="in use: stop the service"):
            run("db", "restore", str(copy))
    put(path, "c")

    run("db", "restore", str(copy))

    assert ids(path) == ["a", "b"]
    assert ids(path.with_name(path.name + ".replaced")) == ["a", "b", "c"]
    with pytest.raises(Conflict, match="exists: choose another name"):
        run("db", "backup", str(copy))


def test_a_damaged_database_comes_back_from_its_backup(run: Run, path: Path, tmp_path: Path) -> None:
    put(path, *(f"m-{i}" for i in range(100)))
    run("db", "backup", str(tmp_path / "copy.db"))
    content = bytearray(path.read_bytes())
    content[8192:] = b"\xaa" * (len(content) - 8192)
    path.write_bytes(content)
    with pytest.raises(StorageUnavailable, match=r"damaged|malformed"):
        run("db", "backup", str(tmp_path / "second.db"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["copy.db"]

    run("db", "restore", str(tmp_path / "copy.db"))

    assert len(ids(path)) == 100


def test_a_backup_that_cannot_serve_is_refused(run: Run, path: Path, tmp_path: Path) -> None:
    newer = tmp_path / "newer.db"
    shutil.copy(path, newer)
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ConfigurationError, match="revision 9999"):
        run("db", "restore", str(newer))
    (tmp_path / "text").write_text("no database")
    with pytest.raises(StorageUnavailable, match="cannot be copied"):
        run("db", "restore", str(tmp_path / "text"))
    with pytest.raises(InputError, match="does not exist"):
        run("db", "restore", str(tmp_path / "absent"))
    assert ids(path) == []


def test_postgresql_is_pointed_to_its_own_tools(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLP_SERVICE_DATABASE", "postgresql://nlp@db/nlp")
    with pytest.raises(InputError, match="pg_dump"):
        run("db", "backup", "copy.db")


def test_a_key_is_made_rotated_and_revoked(run: Run, path: Path) -> None:
    token = run(
        "keys", "create", "--name", "hub", "--scope", "classify", "--department", "quality", "--days", "3"
    ).strip()
    with Database.open(f"sqlite:///{path}") as database:
        principal = Keys(database).authenticate(token)
    key_id = principal.id.removeprefix("key ")
    second = run("keys", "rotate", key_id).strip()
    assert second != token
    run("keys", "revoke", key_id)
    with Database.open(f"sqlite:///{path}") as database:
        keys = Keys(database)
        assert keys.authenticate(second).departments == {"quality"}
        with pytest.raises(NlpServiceError, match="was revoked"):
            keys.authenticate(token)
    listed = run("keys", "list")
    assert key_id in listed
    assert token.rpartition("_")[2] not in listed
    with pytest.raises(InputError, match="unknown scope root"):
        run("keys", "create", "--name", "hub", "--scope", "root")


def test_encryption_is_rotated(run: Run, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(path, "a", "b", sealer=AesSealer.load(OLD))
    with pytest.raises(ConfigurationError, match="no encryption key"):
        run("keys", "rotate-encryption")
    monkeypatch.setenv("NLP_SERVICE_ENCRYPTION_KEY", f"{NEW},{OLD}")
    assert run("keys", "rotate-encryption").startswith("2 values")
    assert run("keys", "rotate-encryption").startswith("0 values")


def test_a_customer_is_exported_and_removed(run: Run, path: Path) -> None:
    put(path, "a", "b")
    assert len(json.loads(run("db", "export-customer", "c-1"))["messages"]) == 2
    assert "2 messages" in run("db", "erase-customer", "c-1", "--yes")
    with pytest.raises(NotFound, match="'c-1'"):
        run("db", "export-customer", "c-1")
    assert ids(path) == []


def test_the_audit_log_is_checked_against_a_hash_noted_elsewhere(run: Run, path: Path) -> None:
    run("keys", "create", "--name", "hub", "--scope", "classify")
    with Database.open(f"sqlite:///{path}") as database:
        noted = AuditLog(database).verify().head
    run("keys", "create", "--name", "hub", "--scope", "classify")
    assert "2 entries hold" in run("db", "audit", "--expect", noted)
    with pytest.raises(Conflict, match="no entry with the hash"):
        run("db", "audit", "--expect", "0" * 64)


def test_retention_runs_by_hand(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NLP_SERVICE_RETENTION_DAYS", '{"messages": 730}')
    assert "messages: 0 removed" in run("db", "retain")
    monkeypatch.setenv("NLP_SERVICE_RETENTION_DAYS", '{"audit_log": 7}')
    with pytest.raises(ConfigurationError, match="at least 1095"):
        run("db", "retain")
