"""From a database URL to SQLAlchemy engines that behave the same on SQLite and PostgreSQL.

A reader sees one snapshot for as long as its transaction lasts and cannot write; a writer takes its lock at BEGIN.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from nlp_service.errors import ConfigurationError

BUSY_SECONDS = 5.0  # a SQLite lock held longer by another process fails the transaction
CONNECT_SECONDS = 5  # PostgreSQL
SILENT_SERVER_SECONDS = 15  # an unanswered TCP segment after which a PostgreSQL connection counts as lost
_ACCEPTED = "use sqlite:///path/to/file.db or postgresql://user:password@host/name"


def parse(url: str) -> URL:
    """Check a database URL and name its driver; raises ConfigurationError, never showing a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigurationError(f"database setting is not a URL: {_ACCEPTED}") from None
    backend = parsed.drivername.partition("+")[0]
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise ConfigurationError(f"database scheme {parsed.drivername!r} is not served: {_ACCEPTED}")
    if not parsed.database or parsed.database == ":memory:" or parsed.database.startswith("file:"):
        raise ConfigurationError(f"database {url!r} names no file: {_ACCEPTED}")
    return parsed.set(drivername="sqlite")


def shown(url: URL) -> str:
    """Return the URL as logs and errors may show it: no password, no query."""
    return url.set(drivername=url.get_backend_name(), query={}).render_as_string(hide_password=True)


def reading_engine(url: URL, *, pool_size: int, pool_wait: float) -> Engine:
    """Pooled connections whose transactions are snapshots and refuse to write."""
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": pool_wait}
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, begin="BEGIN", pragmas=("query_only=ON",), **pool)
    return _postgresql_engine(
        url,
        execution_options={"postgresql_readonly": True},
        isolation_level="REPEATABLE READ",
        pool_pre_ping=True,
        **pool,
    )


def writing_engine(url: URL) -> Engine:
    """One connection at a time; a SQLite transaction takes the write lock at once."""
    if url.get_backend_name() == "sqlite":
        return _sqlite_engine(url, begin="BEGIN IMMEDIATE", pragmas=("foreign_keys=ON",), poolclass=NullPool)
    return _postgresql_engine(url, isolation_level="READ COMMITTED", poolclass=NullPool)


def migrating_engine(url: URL) -> Engine:
    """As for writing, but foreign keys rest while tables are rebuilt, and replicas starting together wait longer."""
    if url.get_backend_name() == "sqlite":
        pragmas = ("foreign_keys=OFF", "busy_timeout=60000")
        return _sqlite_engine(url, begin="BEGIN IMMEDIATE", pragmas=pragmas, poolclass=NullPool)
    return _postgresql_engine(url, poolclass=NullPool)


def sqlite_path(url: URL) -> Path | None:
    """Return the database file, or None for a server."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def _sqlite_engine(url: URL, *, begin: str, pragmas: tuple[str, ...], **options: Any) -> Engine:
    arguments = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=arguments, hide_parameters=True, **options)

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we say so, not where the driver guesses
        # NORMAL with WAL: a crash of the process loses nothing; a power cut may lose the last commits, never more.
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "journal_size_limit=67108864", *pragmas):
            connection.execute(f"PRAGMA {pragma}").close()

    def start(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", start)
    return engine


def _postgresql_engine(url: URL, **options: Any) -> Engine:
    arguments = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "nlp-service",
        "keepalives_idle": SILENT_SERVER_SECONDS,
        "tcp_user_timeout": SILENT_SERVER_SECONDS * 1000,
        "options": "-c timezone=UTC",
    }
    # Values are what customers said: no error message and no log repeats them.
    return create_engine(url, connect_args=arguments, hide_parameters=True, **options)
