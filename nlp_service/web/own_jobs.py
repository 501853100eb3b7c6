"""Jobs as a caller may see them: whoever is limited to departments sees the jobs that they asked for themselves."""

from __future__ import annotations

from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Principal
from nlp_service.core.jobs import Job
from nlp_service.errors import NotFound

MOST = 500  # jobs looked through for one's own


def jobs_seen(service: Service, principal: Principal, *, kind: str | None = None, limit: int) -> list[Job]:
    """Return the newest jobs, newest first."""
    if principal.departments is None:
        return list(service.jobs.all(kind=kind, limit=limit))
    return [job for job in service.jobs.all(kind=kind, limit=MOST) if _own(job, principal)][:limit]


def job_seen(service: Service, principal: Principal, job_id: str) -> Job:
    """Return one job; raises NotFound for somebody else's, as if it were not there."""
    job = service.jobs.get(job_id)
    if not _own(job, principal):
        raise NotFound(f"there is no job {job_id!r}")
    return job


def _own(job: Job, principal: Principal) -> bool:
    return principal.departments is None or job.created_by == principal.id
