"""One thread that writes: many callers' functions in one transaction, so that they share one commit."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine

from nlp_service.adapters.db.failures import collided, lost, translate
from nlp_service.errors import StorageUnavailable

T = TypeVar("T")
ATTEMPTS = 5  # of a function that collided with another replica's
MAX_BATCH = 256  # functions in one transaction


@dataclass(frozen=True, kw_only=True, eq=False)
class _Job:
    function: Callable[[Connection], Any]
    future: Future[Any] = field(default_factory=Future)


@dataclass(frozen=True, kw_only=True)
class _Outcome:
    result: Any = None
    error: Exception | None = None


class _BrokenTransaction(Exception):
    """The whole transaction is gone, or must be given up so that another's can end."""


class Writer:
    """Group commit; ``submit`` is safe from any thread."""

    def __init__(self, engine: Engine, *, name: str, limit: int) -> None:
        self._engine = engine
        self._name = name  # of the database, as errors show it
        self._waiting: queue.Queue[_Job | None] = queue.Queue()
        self._limit = limit
        self._admission = threading.Lock()
        self._closed = False
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._run, name="database-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Functions that wait for a transaction."""
        return self._waiting.qsize()

    @property
    def is_this_thread(self) -> bool:
        """Tell whether the caller runs inside a write, where waiting for another one would never end."""
        return threading.current_thread() is self._thread

    def submit(self, function: Callable[[Connection], T]) -> Future[T]:
        """Queue a function; its future resolves after the commit.

        The future cannot be cancelled: a write that was accepted is carried out even when its caller has gone.
        """
        job = _Job(function=function)
        job.future.set_running_or_notify_cancel()
        with self._admission:
            if self._closed:
                job.future.set_exception(StorageUnavailable(f"database {self._name} is closed"))
            elif self._waiting.qsize() >= self._limit:
                detail = f"database {self._name} has {self._limit} writes waiting: try again later"
                job.future.set_exception(StorageUnavailable(detail, retry_after=2.0))
            else:
                self._waiting.put(job)
        return job.future

    def close(self, timeout: float) -> None:
        """Carry out what was accepted, then stop; what is left after ``timeout`` seconds fails."""
        with self._admission:
            if self._closed:
                return
            self._closed = True
            self._waiting.put(None)
        self._thread.join(timeout)
        abandoned = StorageUnavailable(f"database {self._name} was closed before this write was carried out")
        while self._thread.is_alive():
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                break
            if job is not None:
                job.future.set_exception(abandoned)
        if self._thread.is_alive():
            self._waiting.put(None)  # for the thread, should it come back

    def _run(self) -> None:
        while batch := self._next_batch():
            self._settle(batch)
        self._disconnect()

    def _next_batch(self) -> list[_Job]:
        """Wait for one job and take whatever has gathered behind it; empty when closed."""
        job = self._waiting.get()
        batch: list[_Job] = []
        while job is not None:
            batch.append(job)
            if len(batch) == MAX_BATCH:
                return batch
            try:
                job = self._waiting.get_nowait()
            except queue.Empty:
                return batch
        if batch:
            self._waiting.put(None)  # the end was read early: meet it again after this batch
        return batch

    def _settle(self, batch: Sequence[_Job], attempts: int = ATTEMPTS) -> None:
        """Commit a batch and resolve its futures."""
        try:
            outcomes = self._commit(batch)
        except _BrokenTransaction as exc:
            self._disconnect()
            if len(batch) > 1:  # one of them broke it, or the disk is full: each for itself
                for job in batch:
                    self._settle([job])
                return
            if collided(exc.__cause__) and attempts > 1:
                self._settle(batch, attempts - 1)
                return
            outcomes = [self._failure(exc.__cause__)]
        except Exception as exc:  # the thread must live; the callers get the error
            self._disconnect()
            outcomes = [self._failure(exc)] * len(batch)
        for job, outcome in zip(batch, outcomes, strict=True):
            if outcome.error is not None:
                job.future.set_exception(outcome.error)
            else:
                job.future.set_result(outcome.result)

    def _commit(self, batch: Sequence[_Job]) -> list[_Outcome]:
        """Run a batch in one transaction; a connection lost before the commit is replaced once."""
        try:
            outcomes = self._execute(batch)
        except Exception as exc:
            if not lost(exc):
                raise
            self._disconnect()
            outcomes = self._execute(batch)
        if self._connection is not None:
            self._connection.commit()
        return outcomes

    def _execute(self, batch: Sequence[_Job]) -> list[_Outcome]:
        if self._connection is None:
            self._connection = self._engine.connect()
        self._connection.begin()
        return [self._in_savepoint(self._connection, job) for job in batch]

    def _in_savepoint(self, connection: Connection, job: _Job) -> _Outcome:
        connection.exec_driver_sql("SAVEPOINT caller")
        try:
            outcome = _Outcome(result=job.function(connection))
        except Exception as exc:
            if lost(exc):
                raise
            if collided(exc):
                raise _BrokenTransaction from exc
            try:
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT caller")
            except Exception:  # SQLite ends the transaction itself on a full disk
                raise _BrokenTransaction from exc
            outcome = self._failure(exc)
        connection.exec_driver_sql("RELEASE SAVEPOINT caller")
        return outcome

    def _failure(self, exc: BaseException | None) -> _Outcome:
        error = exc if isinstance(exc, Exception) else RuntimeError(f"write failed: {exc!r}")
        return _Outcome(error=translate(error, self._name))

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.invalidate()
            connection.close()
        except Exception:  # noqa: S110  # it is being thrown away
            pass
