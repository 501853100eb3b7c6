"""Jobs: long work, how far it is and what came of it."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Response
from starlette.responses import RedirectResponse

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope
from nlp_service.core.jobs import FINISHED
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import ViewDep
from nlp_service.web.own_jobs import job_seen, jobs_seen

router = APIRouter(prefix="/ui/jobs", route_class=PageRoute, dependencies=[Depends(shows(Scope.JOBS))])


@router.get("")
def listed(view: ViewDep, viewer: ViewerDep) -> Response:
    """Show the newest jobs; the list asks again every few seconds while one is under way."""
    jobs = jobs_seen(view.service, viewer, limit=50)
    moving = any(job.state not in FINISHED for job in jobs)
    return view.page("jobs.html", jobs=jobs, moving=moving, finished=FINISHED)


@router.get("/list")
def part(view: ViewDep, viewer: ViewerDep) -> Response:
    jobs = jobs_seen(view.service, viewer, limit=50)
    moving = any(job.state not in FINISHED for job in jobs)
    return view.part("jobs_list.html", jobs=jobs, moving=moving, finished=FINISHED)


@router.get("/{job_id}")
def one(view: ViewDep, viewer: ViewerDep, job_id: str) -> Response:
    """Show a job with its parameters, result and error."""
    return view.page("job.html", job=job_seen(view.service, viewer, job_id), finished=FINISHED)


@router.post("/{job_id}/cancel")
def cancel(view: ViewDep, viewer: ViewerDep, job_id: str) -> Response:
    """Ask a job to stop."""
    job_seen(view.service, viewer, job_id)
    view.service.jobs.cancel(job_id, by=viewer.id, at=now())
    return RedirectResponse(f"/ui/jobs/{job_id}", status_code=303)
