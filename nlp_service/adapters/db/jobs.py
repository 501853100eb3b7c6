"""Jobs in the database: one runner holds a job at a time, and another takes it on after a crash."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, and_, insert, null, or_, select, update

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables.jobs import jobs
from nlp_service.core.audit import AuditEntry
from nlp_service.core.jobs import (
    CANCELLED,
    CANCELLING,
    FAILED,
    FINISHED,
    MAX_ATTEMPTS,
    QUEUED,
    RUNNING,
    Job,
    JobProgress,
)
from nlp_service.errors import Conflict, NotFound


class Jobs:
    """ports.JobStore on a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def submit(self, kind: str, params: Mapping[str, Any], *, by: str, at: datetime, job_id: str | None = None) -> Job:
        """Queue a job; ``job_id`` is given where files were kept under it before."""
        key = job_id or new_job_id()

        def add(connection: Connection) -> None:
            connection.execute(
                insert(jobs).values(
                    id=key,
                    kind=kind,
                    state=QUEUED,
                    params=dict(params),
                    progress=JobProgress().as_data(),
                    created_at=at,
                    created_by=by,
                    attempts=0,
                )
            )
            append(
                connection,
                AuditEntry(at=at, actor=by, action="job.submit", subject=f"job {key}", detail={"kind": kind}),
            )

        self._database.transaction(add)
        return self.get(key)

    def get(self, job_id: str) -> Job:
        """Return a job; raises NotFound."""
        query = select(jobs).where(jobs.c.id == job_id)
        row = self._database.read(lambda connection: connection.execute(query).one_or_none())
        if row is None:
            raise NotFound(f"no job {job_id!r} exists")
        return _job(row)

    def all(self, *, kind: str | None = None, limit: int = 100) -> tuple[Job, ...]:
        """Return the newest jobs, newest first."""
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.id).limit(limit)
        if kind is not None:
            query = query.where(jobs.c.kind == kind)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_job(row) for row in rows)

    def cancel(self, job_id: str, *, by: str, at: datetime) -> Job:
        """Stop a job: at once where it waits, soon where it runs; raises NotFound, Conflict where it has ended."""

        def stop(connection: Connection) -> None:
            row = connection.execute(select(jobs).where(jobs.c.id == job_id)).one_or_none()
            if row is None:
                raise NotFound(f"no job {job_id!r} exists")
            if row.state in FINISHED:
                raise Conflict(f"job {job_id} is {row.state} since {row.finished_at.isoformat(timespec='seconds')}")
            change = {"state": CANCELLED, "finished_at": at} if row.state == QUEUED else {"state": CANCELLING}
            connection.execute(update(jobs).where(jobs.c.id == job_id).values(**change))
            append(connection, AuditEntry(at=at, actor=by, action="job.cancel", subject=f"job {job_id}", detail={}))

        self._database.transaction(stop)
        return self.get(job_id)

    def claim(self, owner: str, kinds: Collection[str], *, at: datetime, lease: timedelta) -> Job | None:
        """Take the oldest job that waits or whose runner is gone; None where there is none."""
        abandoned = and_(jobs.c.state.in_([RUNNING, CANCELLING]), jobs.c.lease_until < at)
        free = and_(jobs.c.kind.in_(list(kinds)), or_(jobs.c.state == QUEUED, abandoned))

        def take(connection: Connection) -> str | None:
            query = select(jobs).where(free).order_by(jobs.c.created_at, jobs.c.id).limit(1)
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            change: dict[str, Any]
            if row.state == CANCELLING:
                change = {"state": CANCELLED, "finished_at": at, "lease_owner": None, "lease_until": None}
            elif row.attempts >= MAX_ATTEMPTS:
                error = f"its process ended {row.attempts} times without a word: see the service's log"
                change = {"state": FAILED, "finished_at": at, "error": error, "lease_owner": None, "lease_until": None}
            else:
                change = {
                    "state": RUNNING,
                    "started_at": row.started_at or at,
                    "attempts": row.attempts + 1,
                    "lease_owner": owner,
                    "lease_until": at + lease,
                }
            # Another process may have taken it between the two statements: then nothing matches.
            same_lease = (
                jobs.c.lease_until.is_(None) if row.lease_until is None else jobs.c.lease_until == row.lease_until
            )
            same = and_(jobs.c.id == row.id, jobs.c.state == row.state, same_lease)
            taken = connection.execute(update(jobs).where(same).values(**change)).rowcount
            return str(row.id) if taken and change["state"] == RUNNING else None

        claimed = self._database.transaction(take)
        return None if claimed is None else self.get(claimed)

    def beat(self, job_id: str, owner: str, progress: JobProgress, *, until: datetime) -> str | None:
        """Hold on to a job and tell how far it is; returns its state, None where the lease was lost."""

        def hold(connection: Connection) -> str | None:
            mine = and_(jobs.c.id == job_id, jobs.c.lease_owner == owner)
            statement = update(jobs).where(mine).values(lease_until=until, progress=progress.as_data())
            if not connection.execute(statement).rowcount:
                return None
            return str(connection.execute(select(jobs.c.state).where(mine)).scalar_one())

        return self._database.transaction(hold)

    def finish(
        self,
        job_id: str,
        owner: str,
        state: str,
        *,
        progress: JobProgress,
        at: datetime,
        result: Mapping[str, Any] | None = None,
        error: str | None = None,
    ) -> None:
        """Close a job that is held; one whose lease was lost is another's to close."""
        mine = and_(jobs.c.id == job_id, jobs.c.lease_owner == owner)
        values = {
            "state": state,
            "progress": progress.as_data(),
            "result": null() if result is None else dict(result),
            "error": error,
            "finished_at": at,
            "lease_owner": None,
            "lease_until": None,
        }
        self._database.transaction(lambda connection: connection.execute(update(jobs).where(mine).values(**values)))

    def release(self, job_id: str, owner: str) -> None:
        """Give a job back to the queue, for a process that ends; it does not count as an attempt."""
        mine = and_(jobs.c.id == job_id, jobs.c.lease_owner == owner, jobs.c.state == RUNNING)
        values = {"state": QUEUED, "lease_owner": None, "lease_until": None, "attempts": jobs.c.attempts - 1}
        self._database.transaction(lambda connection: connection.execute(update(jobs).where(mine).values(**values)))


def new_job_id() -> str:
    return f"job_{uuid.uuid4().hex[:20]}"


def _job(row: Row[Any]) -> Job:
    return Job(
        id=row.id,
        kind=row.kind,
        state=row.state,
        params=row.params,
        progress=JobProgress(**row.progress),
        result=row.result,
        error=row.error,
        created_at=row.created_at,
        created_by=row.created_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        attempts=row.attempts,
    )
