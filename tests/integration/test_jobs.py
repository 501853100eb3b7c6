"""Jobs on both databases: one runner each, taken on after a crash, cancelled, given back."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.jobs import Jobs
from nlp_service.core.jobs import CANCELLED, CANCELLING, DONE, FAILED, MAX_ATTEMPTS, QUEUED, RUNNING, JobProgress
from nlp_service.errors import Conflict, InputError, NotFound
from nlp_service.flows.jobs import JobRunner
from nlp_service.ports import JobContext
from nlp_service.testing import START, FixedClock

LEASE = timedelta(seconds=30)


@pytest.fixture(params=["sqlite", "postgresql"])
def jobs(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Jobs]:
    with Database.open(make_database(request.param)) as database:
        yield Jobs(database)


def runner(jobs: Jobs, handler: Callable[[JobContext], Mapping[str, Any]], **options: Any) -> JobRunner:
    return JobRunner(jobs, {"count": handler}, now=FixedClock(), **options)


def test_a_job_runs_once_and_keeps_its_result(jobs: Jobs) -> None:
    first = jobs.submit("count", {"to": 3}, by="ann", at=START)
    jobs.submit("count", {"to": 4}, by="ann", at=START + timedelta(seconds=1))
    assert (first.state, first.progress) == (QUEUED, JobProgress())

    def count(context: JobContext) -> dict[str, Any]:
        context.report(3, 3, unit="things", note="counted")
        return {"counted": context.job.params["to"]}

    made = runner(jobs, count)
    assert [made.run_next() for _ in range(3)] == [True, True, False]
    done = jobs.get(first.id)
    assert (done.state, done.result, done.attempts) == (DONE, {"counted": 3}, 1)
    assert done.progress == JobProgress(done=3, total=3, unit="things", note="counted")
    assert [job.params["to"] for job in jobs.all(kind="count")] == [4, 3]
    with pytest.raises(Conflict, match="is done since"):
        jobs.cancel(first.id, by="ann", at=START)
    with pytest.raises(NotFound):
        jobs.get("job_none")


def test_what_a_handler_refuses_is_said_and_what_breaks_is_not_hidden(jobs: Jobs) -> None:
    refused = jobs.submit("count", {}, by="ann", at=START)
    broken = jobs.submit("count", {}, by="ann", at=START + timedelta(seconds=1))
    answers = iter([InputError("file x has no text: name a column"), ZeroDivisionError()])

    def fail(_context: JobContext) -> dict[str, Any]:
        raise next(answers)

    made = runner(jobs, fail)
    made.run_next()
    made.run_next()
    assert (jobs.get(refused.id).state, jobs.get(refused.id).error) == (FAILED, "file x has no text: name a column")
    assert "ZeroDivisionError" in (jobs.get(broken.id).error or "")


def test_an_abandoned_job_is_taken_on_and_given_up_in_the_end(jobs: Jobs) -> None:
    job = jobs.submit("count", {}, by="ann", at=START)
    at = START
    for attempt in range(1, MAX_ATTEMPTS + 1):
        claimed = jobs.claim(f"crashed-{attempt}", ["count"], at=at, lease=LEASE)
        assert claimed is not None
        assert (claimed.id, claimed.attempts, claimed.state) == (job.id, attempt, RUNNING)
        assert jobs.claim("other", ["count"], at=at, lease=LEASE) is None
        at += 2 * LEASE
    assert jobs.claim("last", ["count"], at=at, lease=LEASE) is None
    assert (jobs.get(job.id).state, "ended 5 times" in (jobs.get(job.id).error or "")) == (FAILED, True)


def test_a_lost_lease_cannot_be_renewed_or_closed(jobs: Jobs) -> None:
    job = jobs.submit("count", {}, by="ann", at=START)
    jobs.claim("slow", ["count"], at=START, lease=LEASE)
    jobs.claim("quick", ["count"], at=START + 2 * LEASE, lease=LEASE)
    assert jobs.beat(job.id, "slow", JobProgress(done=9), until=START + 5 * LEASE) is None
    jobs.finish(job.id, "slow", DONE, progress=JobProgress(), at=START, result={})
    assert jobs.get(job.id).state == RUNNING
    assert jobs.beat(job.id, "quick", JobProgress(done=1), until=START + 5 * LEASE) == RUNNING


def test_only_known_kinds_are_taken(jobs: Jobs) -> None:
    jobs.submit("train", {}, by="ann", at=START)
    assert jobs.claim("here", ["count"], at=START, lease=LEASE) is None


def test_cancelling_stops_a_waiting_job_at_once_and_a_running_one_soon(jobs: Jobs) -> None:
    waiting = jobs.submit("count", {}, by="ann", at=START)
    assert jobs.cancel(waiting.id, by="bob", at=START).state == CANCELLED
    running = jobs.submit("count", {}, by="ann", at=START)
    begun = threading.Event()

    def wait(context: JobContext) -> dict[str, Any]:
        begun.set()
        while True:
            context.check()
            threading.Event().wait(0.01)

    made = runner(jobs, wait, lease=timedelta(seconds=0.6))
    thread = threading.Thread(target=made.run_next)
    thread.start()
    begun.wait(10)
    assert jobs.cancel(running.id, by="bob", at=START).state == CANCELLING
    thread.join(20)
    assert jobs.get(running.id).state == CANCELLED


def test_a_process_that_ends_gives_its_job_back(jobs: Jobs) -> None:
    job = jobs.submit("count", {}, by="ann", at=START)
    begun = threading.Event()

    def wait(context: JobContext) -> dict[str, Any]:
        begun.set()
        while True:
            context.check()
            threading.Event().wait(0.01)

    made = runner(jobs, wait, poll=0.05)
    made.start()
    begun.wait(10)
    made.close()
    assert (jobs.get(job.id).state, jobs.get(job.id).attempts) == (QUEUED, 0)
    assert jobs.claim("next", ["count"], at=START, lease=LEASE) is not None
