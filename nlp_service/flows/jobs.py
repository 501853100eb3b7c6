"""Run queued jobs one after another, hold their leases, and let them be cancelled."""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import structlog

from nlp_service.core.jobs import CANCELLED, CANCELLING, DONE, FAILED, Job, JobProgress
from nlp_service.errors import Cancelled, JobError, NlpServiceError, StorageUnavailable
from nlp_service.ports import JobHandler, JobStore

LEASE = timedelta(seconds=30)
POLL_SECONDS = 2.0
_log = structlog.get_logger(__name__)


class Interrupted(JobError):
    """The process ends; the job goes back to the queue."""


class Running:
    """ports.JobContext: what a handler sees of its job."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.progress = job.progress
        self.cancelled = threading.Event()
        self.interrupted = threading.Event()

    def report(self, done: int, total: int | None = None, *, unit: str = "rows", note: str = "") -> None:
        """Say how far it is; cheap, the runner writes it down now and then."""
        self.progress = JobProgress(done=done, total=total, unit=unit, note=note)

    def check(self) -> None:
        """Raise Cancelled or Interrupted where the job must stop; call it every few seconds."""
        if self.interrupted.is_set():
            raise Interrupted(f"job {self.job.id} is interrupted: another process goes on with it")
        if self.cancelled.is_set():
            raise Cancelled(f"job {self.job.id} was cancelled")


class JobRunner:
    """A thread that takes one job at a time. A handler can be run again from the start at any point."""

    def __init__(
        self,
        store: JobStore,
        handlers: Mapping[str, JobHandler],
        *,
        now: Callable[[], datetime],
        lease: timedelta = LEASE,
        poll: float = POLL_SECONDS,
    ) -> None:
        self._store = store
        self._handlers = handlers
        self._now = now
        self._lease = lease
        self._poll = poll
        self._owner = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:6]}"
        self._stop = threading.Event()
        self._current: Running | None = None
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self, timeout: float = 15.0) -> None:
        """End the thread; the job under way goes back to the queue."""
        self._stop.set()
        if self._current is not None:
            self._current.interrupted.set()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def run_next(self) -> bool:
        """Run the next job, if any; tells whether there was one."""
        job = self._store.claim(self._owner, tuple(self._handlers), at=self._now(), lease=self._lease)
        if job is None:
            return False
        running = self._current = Running(job)
        if self._stop.is_set():
            running.interrupted.set()
        ended = threading.Event()
        heart = threading.Thread(target=self._hold, args=(running, ended), name=f"lease {job.id}", daemon=True)
        heart.start()
        try:
            self._carry_out(running)
        finally:
            ended.set()
            heart.join(5)
            self._current = None
        return True

    def _carry_out(self, running: Running) -> None:
        job = running.job
        try:
            result = self._handlers[job.kind](running)
        except Interrupted:
            self._store.release(job.id, self._owner)
        except Cancelled:
            self._finish(running, CANCELLED)
        except NlpServiceError as exc:
            self._finish(running, FAILED, error=str(exc))
        except Exception as exc:
            _log.exception("job failed", job=job.id, kind=job.kind)
            self._finish(running, FAILED, error=f"{type(exc).__name__}: see the service's log for job {job.id}")
        else:
            self._finish(running, DONE, result=result)

    def _finish(
        self, running: Running, state: str, *, result: Mapping[str, Any] | None = None, error: str | None = None
    ) -> None:
        self._store.finish(
            running.job.id,
            self._owner,
            state,
            progress=running.progress,
            at=self._now(),
            result=result,
            error=error,
        )
        _log.info("job ended", job=running.job.id, kind=running.job.kind, state=state, error=error)

    def _hold(self, running: Running, ended: threading.Event) -> None:
        """Renew the lease until the job has ended; a lost lease or a wish to cancel stops the handler."""
        while not ended.wait(min(self._lease.total_seconds() / 6, 2.0)):
            try:
                state = self._store.beat(running.job.id, self._owner, running.progress, until=self._now() + self._lease)
            except StorageUnavailable as exc:
                _log.warning("lease not renewed", job=running.job.id, reason=str(exc))
                continue
            if state is None:
                running.interrupted.set()
            elif state == CANCELLING:
                running.cancelled.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.run_next():
                    continue
            except StorageUnavailable as exc:
                _log.warning("jobs wait for the database", reason=str(exc))
            self._stop.wait(self._poll)
