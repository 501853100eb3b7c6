"""Long work: relabelling jobs made here, and every job's progress, cancelling and result."""

from __future__ import annotations

import re
import shutil
from pathlib import Path as FilePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, File, Form, Path, Query, UploadFile
from fastapi.responses import FileResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nlp_service.adapters.db.jobs import new_job_id
from nlp_service.adapters.files.opening import find_files, format_of
from nlp_service.adapters.relabel_process import output_folder
from nlp_service.bootstrap.parts import now
from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Scope, require_all
from nlp_service.core.jobs import Job
from nlp_service.core.partitions import read_keys
from nlp_service.errors import Forbidden, InputError, NotFound
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.own_jobs import job_seen, jobs_seen
from nlp_service.web.request import ServiceDep
from nlp_service.web.schemas.problems import Problem

router = APIRouter(tags=["jobs"], dependencies=[Depends(needs(Scope.JOBS))])

JobId = Annotated[str, Path(description="The job's id.", examples=["job_0f3c"])]
_NOT_FOUND: dict[int | str, dict[str, Any]] = {404: {"model": Problem, "description": "There is no such job or file."}}
_SAFE = re.compile(r"[^\w.\-\u4e00-\u9fff]+")


class RelabelIn(BaseModel):
    """Files on the server to relabel, inside the folder that the operator allows."""

    model_config = ConfigDict(extra="forbid")

    path: str = Field(
        min_length=1,
        max_length=1000,
        description="File, folder or pattern, relative to the allowed folder.",
        examples=["2026/reviews.csv.gz"],
    )
    mapping: dict[str, str] = Field(default_factory=dict, description="Field: column; the rest is guessed.")
    format: Literal["parquet", "jsonl"] = Field("parquet", description="Of the output.")
    encoding: str | None = Field(None, max_length=40, description="Of text files, where it cannot be told.")
    utc_offset: str = Field("+08:00", pattern=r"^[+-]\d{2}:\d{2}$", description="Of times that name no zone.")
    customers: str = Field("", max_length=500, description="Speakers who are customers, by comma.")
    partition_by: str = Field(
        "", max_length=200, description="Folders of the output.", examples=["month,channel"], pattern=r"^[a-z_, ]*$"
    )
    store: bool = Field(False, description="Also store the labellings, so that themes see them.")


class ProgressOut(BaseModel):
    done: int = Field(description="What is done and kept.")
    total: int | None = Field(description="Of how many, an upper bound; null where it is not known.")
    unit: str = Field(description="Of both numbers.", examples=["rows"])
    note: str = Field(description="In words.")


class JobOut(BaseModel):
    id: str = Field(description="The job's id.", examples=["job_0f3c"])
    kind: str = Field(description="relabel, mine or train.", examples=["relabel"])
    state: str = Field(description="queued, running, cancelling, done, failed or cancelled.", examples=["running"])
    progress: ProgressOut = Field(description="How far it is.")
    result: dict[str, Any] | None = Field(description="What came of it, when done; its files can be fetched by name.")
    error: str | None = Field(description="Why it failed, and the remedy.")
    created_at: AwareDatetime = Field(description="When it was asked for.")
    created_by: str = Field(description="By whom.")
    started_at: AwareDatetime | None = Field(description="When it first ran.")
    finished_at: AwareDatetime | None = Field(description="When it ended.")
    attempts: int = Field(description="Runs begun; more than one after a crash or restart.")

    @classmethod
    def of(cls, job: Job) -> JobOut:
        fields = {name: getattr(job, name) for name in cls.model_fields if name != "progress"}
        return cls(progress=ProgressOut(**job.progress.as_data()), **fields)


@router.post(
    "/relabel-jobs",
    status_code=202,
    summary="Relabel files on the server",
    responses={403: {"model": Problem, "description": "The path lies outside the allowed folder."}},
)
def relabel(body: RelabelIn, service: ServiceDep, principal: PrincipalDep) -> JobOut:
    """Queue the work; follow it under /jobs/{id}."""
    require_all(principal, "a file on the server")
    read_keys(body.partition_by)
    params = body.model_dump(exclude={"path"}) | {"inputs": allowed_inputs(service, body.path)}
    return JobOut.of(service.jobs.submit("relabel", params, by=principal.id, at=now()))


@router.post("/relabel-jobs/upload", status_code=202, summary="Relabel an uploaded file")
def relabel_upload(
    service: ServiceDep,
    principal: PrincipalDep,
    file: Annotated[UploadFile, File(description="JSONL, CSV, TSV, text, Parquet or Excel; also .gz and .zst.")],
    format: Annotated[Literal["parquet", "jsonl"], Form(description="Of the output.")] = "parquet",
    store: Annotated[bool, Form(description="Also store the labellings.")] = False,
    customers: Annotated[str, Form(description="Speakers who are customers, by comma.")] = "",
) -> JobOut:
    """Keep the file with the job and queue the work; follow it under /jobs/{id}."""
    job_id = new_job_id()
    params = {
        "inputs": [str(keep_upload(service, job_id, file))],
        "format": format,
        "store": store,
        "customers": customers,
    }
    return JobOut.of(service.jobs.submit("relabel", params, by=principal.id, at=now(), job_id=job_id))


@router.get("/jobs", summary="The newest jobs")
def jobs(
    service: ServiceDep,
    principal: PrincipalDep,
    kind: Annotated[str | None, Query(description="Only this kind.", examples=["relabel"])] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="At most so many.")] = 100,
) -> list[JobOut]:
    """Return jobs, newest first; a key of some departments sees those that it asked for."""
    return [JobOut.of(job) for job in jobs_seen(service, principal, kind=kind, limit=limit)]


@router.get("/jobs/{job_id}", summary="One job", responses=_NOT_FOUND)
def job(service: ServiceDep, principal: PrincipalDep, job_id: JobId) -> JobOut:
    """Return a job with its progress and, when done, its result."""
    return JobOut.of(job_seen(service, principal, job_id))


@router.post(
    "/jobs/{job_id}/cancel",
    summary="Cancel a job",
    responses={**_NOT_FOUND, 409: {"model": Problem, "description": "It has ended already."}},
)
def cancel(service: ServiceDep, principal: PrincipalDep, job_id: JobId) -> JobOut:
    """Stop a job: at once where it waits, within seconds where it runs. What is finished is kept."""
    job_seen(service, principal, job_id)
    return JobOut.of(service.jobs.cancel(job_id, by=principal.id, at=now()))


@router.get("/jobs/{job_id}/files/{name:path}", summary="A file of a job's result", responses=_NOT_FOUND)
def result_file(
    service: ServiceDep,
    principal: PrincipalDep,
    job_id: JobId,
    name: Annotated[str, Path(description="As listed in the result.", examples=["manifest.json"])],
) -> FileResponse:
    """Download one file that the result lists."""
    found = job_seen(service, principal, job_id)
    if found.result is None or name not in found.result.get("files", ()):
        raise NotFound(f"job {job_id} has no file {name!r}: its result lists those it has")
    return FileResponse(output_folder(service.settings.jobs_folder, found.id) / name, filename=name)


def allowed_inputs(service: Service, path: str) -> list[str]:
    """Return the files meant; raises Forbidden for one outside the folder, NotFound for none."""
    folder = service.settings.relabel_folder
    if folder is None:
        raise Forbidden("no folder is open to relabelling jobs: set NLP_SERVICE_RELABEL_FOLDER, or upload the file")
    root = folder.resolve()
    if FilePath(path).is_absolute() or ".." in FilePath(path).parts:
        raise Forbidden(f"path {path!r} leaves the allowed folder: give it relative to that folder")
    files = [file.resolve() for file in find_files([str(root / path)])]
    if not all(file.is_relative_to(root) for file in files):
        raise Forbidden(f"path {path!r} leads out of the allowed folder")
    return [str(file) for file in files]


def keep_upload(service: Service, job_id: str, file: UploadFile) -> FilePath:
    """Keep an uploaded file in the job's folder; raises InputError for a form that is not known."""
    name = _SAFE.sub("_", FilePath(file.filename or "").name).lstrip(".") or "upload"
    if format_of(FilePath(name)) is None:
        raise InputError(f"file {name!r} has a form that is not known: use .jsonl, .csv, .tsv, .txt, .parquet or .xlsx")
    folder = service.settings.jobs_folder / job_id
    folder.mkdir(parents=True)
    with (folder / name).open("wb") as sink:
        shutil.copyfileobj(file.file, sink)
    return (folder / name).resolve()
