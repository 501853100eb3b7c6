"""A copy of a SQLite database taken while it serves, and its way back. PostgreSQL has its own tools for this."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from nlp_service.adapters.db import engines
from nlp_service.adapters.db.migrations import current, head
from nlp_service.errors import ConfigurationError, Conflict, InputError, StorageUnavailable

_PAGES = 2000  # copied at a time, so that writers are let in between
_IN_USE_BYTE = 128  # of the -shm file: every open connection of SQLite holds a lock on it (os_unix.c, UNIX_SHM_DMS)


@dataclass(frozen=True, kw_only=True)
class Copied:
    path: Path
    size: int  # bytes
    revision: str | None


def backup(url: str, target: Path) -> Copied:
    """Copy the database to ``target``, checked page by page; the service may go on writing.

    Raises:
        Conflict: ``target`` exists.
        StorageUnavailable: the database is missing or damaged, or the copy cannot be written.
    """
    source = _file(url, "pg_dump --format=custom --file=FILE DATABASE")
    if target.exists():
        raise Conflict(f"backup {target} exists: choose another name")
    _copy(source, target)
    return Copied(path=target, size=target.stat().st_size, revision=current(f"sqlite:///{target}"))


def restore(url: str, source: Path) -> Copied:
    """Put a backup in the database's place; what stood there is kept beside it as ``<name>.replaced``.

    Raises:
        Conflict: a process has the database open.
        ConfigurationError: the backup was written by a newer release.
        StorageUnavailable: the backup is damaged or cannot be copied.
    """
    target = _file(url, "pg_restore --clean --dbname=DATABASE FILE")
    if not source.is_file():
        raise InputError(f"backup {source} does not exist")
    _refuse_in_use(target)
    fresh = target.with_name(target.name + ".restored")
    fresh.unlink(missing_ok=True)
    _copy(source, fresh)
    revision = current(f"sqlite:///{fresh}")
    if revision is None or revision > head():
        fresh.unlink()
        raise ConfigurationError(
            f"backup {source} is at revision {revision or 'none'}, this release knows up to {head()}: "
            "install the release that wrote it"
        )
    for suffix in ("-wal", "-shm"):
        target.with_name(target.name + suffix).unlink(missing_ok=True)
    if target.exists():
        target.replace(target.with_name(target.name + ".replaced"))
    fresh.replace(target)
    return Copied(path=target, size=target.stat().st_size, revision=revision)


def check(url: str) -> Copied:
    """Read every page and index of the database while the service may go on.

    Raises:
        StorageUnavailable: it is missing or damaged; the message names the first faults and the remedy.
    """
    path = _file(url, "pg_amcheck DATABASE")
    if not path.is_file():
        raise StorageUnavailable(f"database {path} does not exist: run `nlp-service db migrate`")
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as reading:
            faults = [row[0] for row in reading.execute("PRAGMA integrity_check(3)")]
            faults = (
                faults if faults != ["ok"] else [str(row) for row in reading.execute("PRAGMA foreign_key_check")][:3]
            )
    except sqlite3.Error as exc:
        faults = [str(exc)]
    if faults:
        said = "; ".join(faults)
        raise StorageUnavailable(f"database {path} is damaged ({said}): stop the service and `nlp-service db restore`")
    return Copied(path=path, size=path.stat().st_size, revision=current(url))


def _file(url: str, instead: str) -> Path:
    path = engines.sqlite_path(engines.parse(url))
    if path is None:
        raise InputError(f"a PostgreSQL database is copied with its own tools: {instead}")
    return path


def _copy(source: Path, target: Path) -> None:
    """Copy by way of a file beside the target that is renamed once it is whole, checked and on the disk."""
    part = target.with_name(target.name + ".part")
    part.unlink(missing_ok=True)
    try:
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(part)) as writing,
        ):
            reading.backup(writing, pages=_PAGES)
            writing.execute("PRAGMA journal_mode=DELETE")
            faults = [row[0] for row in writing.execute("PRAGMA integrity_check(3)")]
        if faults != ["ok"]:
            raise StorageUnavailable(f"{source} is damaged ({'; '.join(faults)}): restore an older backup")
        descriptor = os.open(part, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
        part.replace(target)
    except (sqlite3.Error, OSError) as exc:
        raise StorageUnavailable(f"{source} cannot be copied to {target}: {exc}") from exc
    finally:
        part.unlink(missing_ok=True)


def _refuse_in_use(target: Path) -> None:
    try:
        with target.with_name(target.name + "-shm").open("r+b") as shared:
            fcntl.lockf(shared, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, _IN_USE_BYTE)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise Conflict(f"database {target} is in use: stop the service first") from exc
