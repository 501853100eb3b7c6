"""A database: reads on a pool, writes through one thread with group commit."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, Engine, text

from nlp_service.adapters.db import engines
from nlp_service.adapters.db.failures import lost, translate
from nlp_service.adapters.db.writer import Writer
from nlp_service.errors import StorageUnavailable

T = TypeVar("T")
DEFAULT_POOL = 8  # reading connections
DEFAULT_POOL_WAIT = 10.0  # seconds that a read waits for a connection
DEFAULT_QUEUE = 10_000  # writes that may wait


class Database:
    """One open database. Every SQL statement of the service runs in ``read`` or ``write``."""

    def __init__(self, *, name: str, reader: Engine, writer: Writer) -> None:
        self.name = name  # the URL without password, for logs and errors
        self._reader = reader
        self._writer = writer

    @classmethod
    def open(
        cls,
        url: str,
        *,
        pool_size: int = DEFAULT_POOL,
        pool_wait: float = DEFAULT_POOL_WAIT,
        queue_limit: int = DEFAULT_QUEUE,
    ) -> Self:
        """Open a migrated database.

        Raises:
            ConfigurationError: the URL is malformed.
            StorageUnavailable: no such file, not writable, locked, or the server does not answer.
        """
        parsed = engines.parse(url)
        name = engines.shown(parsed)
        path = engines.sqlite_path(parsed)
        if path is not None and not path.is_file():
            raise StorageUnavailable(f"database {name} does not exist: run `nlp-service db migrate`")
        writing = engines.writing_engine(parsed)
        try:
            with writing.begin():  # takes the write lock, so that a read-only disk shows now
                pass
        except Exception as exc:
            raise translate(exc, name) from exc
        writer = Writer(writing, name=name, limit=queue_limit)
        writer.start()
        reader = engines.reading_engine(parsed, pool_size=pool_size, pool_wait=pool_wait)
        return cls(name=name, reader=reader, writer=writer)

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._reader.dialect.name

    @property
    def waiting_writes(self) -> int:
        return self._writer.waiting

    def read(self, function: Callable[[Connection], T]) -> T:
        """Call ``function`` in a read-only transaction that sees one snapshot; a lost connection is replaced once.

        Raises:
            StorageUnavailable: the database cannot be reached or read.
        """
        try:
            try:
                return self._read_once(function)
            except Exception as exc:
                if not lost(exc):
                    raise
            return self._read_once(function)
        except Exception as exc:
            translated = translate(exc, self.name)
            if translated is exc:
                raise
            raise translated from exc

    def write(self, function: Callable[[Connection], T]) -> Future[T]:
        """Queue ``function`` for the writer; the future resolves after the commit that it shares with others.

        Each function has a savepoint of its own: if it raises, its changes alone are undone and its future raises.
        It may be called a second time after a lost connection, so it changes nothing but the database, and it
        neither commits nor rolls back. The future raises StorageUnavailable when the commit was not confirmed.
        """
        return self._writer.submit(function)

    def transaction(self, function: Callable[[Connection], T]) -> T:
        """Write and wait for the commit."""
        if self._writer.is_this_thread:
            raise RuntimeError("a function of a write waits for another write: use the connection it was given")
        return self.write(function).result()

    def check(self) -> None:
        """Ask the database for a sign of life; raises StorageUnavailable."""
        self.read(lambda connection: connection.execute(text("SELECT 1")).scalar_one())

    def close(self, timeout: float = 10.0) -> None:
        """Carry out the writes that were accepted and close every connection; closing twice is fine."""
        self._writer.close(timeout)
        self._reader.dispose()

    def _read_once(self, function: Callable[[Connection], T]) -> T:
        with self._reader.connect() as connection:
            return function(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
