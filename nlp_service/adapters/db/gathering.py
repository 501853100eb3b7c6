"""Rows of many callers in one statement: what waits while the writer is busy is inserted together."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Generic, TypeVar

from sqlalchemy import Connection

from nlp_service.adapters.db.database import Database
from nlp_service.errors import StorageUnavailable

T = TypeVar("T")
LIMIT = 50_000  # items that may wait


@dataclass(frozen=True, kw_only=True, eq=False)
class _Call(Generic[T]):
    items: Sequence[T]
    future: Future[None] = field(default_factory=Future)


@dataclass(kw_only=True, eq=False)
class _Flush(Generic[T]):
    """One turn of the writer; it takes its calls when it first runs and keeps them if it must run again."""

    calls: list[_Call[T]] | None = None


class Gatherer(Generic[T]):
    """Calls ``insert(connection, items)`` in the writer with the items of every caller that waits."""

    def __init__(self, database: Database, insert: Callable[[Connection, Sequence[T]], None]) -> None:
        self._database = database
        self._insert = insert
        self._lock = threading.Lock()
        self._waiting: list[_Call[T]] = []
        self._items = 0

    def add(self, items: Sequence[T]) -> Future[None]:
        """Return a future that resolves after the commit; a caller whose items cannot be inserted fails alone."""
        call = _Call(items=items)
        call.future.set_running_or_notify_cancel()
        with self._lock:
            if self._items + len(items) > LIMIT and self._waiting:
                detail = f"database {self._database.name} has {self._items} rows waiting: try again later"
                call.future.set_exception(StorageUnavailable(detail, retry_after=2.0))
                return call.future
            is_first = not self._waiting
            self._waiting.append(call)
            self._items += len(items)
        if is_first:
            flush: _Flush[T] = _Flush()
            done = self._database.write(partial(self._run, flush))
            done.add_done_callback(partial(self._settle, flush))
        return call.future

    def _run(self, flush: _Flush[T], connection: Connection) -> None:
        if flush.calls is None:
            flush.calls = self._take()
        self._insert(connection, [item for call in flush.calls for item in call.items])

    def _take(self) -> list[_Call[T]]:
        with self._lock:
            calls, self._waiting, self._items = self._waiting, [], 0
        return calls

    def _settle(self, flush: _Flush[T], done: Future[None]) -> None:
        calls = self._take() if flush.calls is None else flush.calls
        error = done.exception()
        if error is None:
            for call in calls:
                call.future.set_result(None)
        elif isinstance(error, StorageUnavailable) or len(calls) == 1:
            for call in calls:
                call.future.set_exception(error)
        else:  # one caller's rows are at fault: each for itself
            for call in calls:
                alone: _Flush[T] = _Flush(calls=[call])
                self._database.write(partial(self._run, alone)).add_done_callback(partial(self._settle, alone))
