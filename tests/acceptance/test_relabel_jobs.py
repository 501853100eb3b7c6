"""Relabelling jobs over HTTP, carried out by a served process on a small real bundle."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.bundles import write_bundle
from tests.relabelling import ROOT

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    write_bundle(folder / "models" / "tests-1")
    pointer = {"name": "tests", "version": "0.0.1", "path": "tests-1"}
    (folder / "models" / "accepted.json").write_text(json.dumps(pointer))
    (folder / "allowed").mkdir()
    (folder / "secret.jsonl").write_text('"never to be read"\n')
    (folder / "allowed" / "link.jsonl").symlink_to(folder / "secret.jsonl")
    lines = [json.dumps({"id": f"h-{n}", "text": f"快递 {n} 还没到"}, ensure_ascii=False) for n in range(300)]
    (folder / "allowed" / "history.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def client(folder: Path) -> Iterator[httpx.Client]:
    environment = {
        **os.environ,
        "NLP_SERVICE_MODELS": str(folder / "models"),
        "NLP_SERVICE_DATABASE": f"sqlite:///{folder / 'service.db'}",
        "NLP_SERVICE_JOBS_FOLDER": str(folder / "jobs"),
        "NLP_SERVICE_RELABEL_FOLDER": str(folder / "allowed"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "nlp_service", "serve", "--port", "0"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stderr is not None
        found = next((match for line in process.stderr if (match := re.search(r"http://[\d.]+:\d+", line))), None)
        assert found is not None, "the service ended before it listened"
        with httpx.Client(base_url=found.group(), timeout=60) as opened:
            yield opened
    finally:
        process.terminate()
        process.communicate(timeout=60)


def finished(client: httpx.Client, job_id: str) -> dict[str, Any]:
    for _ in range(2000):
        job: dict[str, Any] = client.get(f"/jobs/{job_id}").raise_for_status().json()
        if job["finished_at"] is not None:
            return job
        time.sleep(0.3)
    raise AssertionError(f"job {job_id} does not end: {job}")


def test_files_on_the_server(client: httpx.Client) -> None:
    asked = client.post("/relabel-jobs", json={"path": "history.jsonl", "format": "jsonl", "store": True})
    assert asked.status_code == 202
    job = finished(client, asked.json()["id"])
    assert (job["state"], job["error"]) == ("done", None)
    assert job["result"]["rows"]["labelled"] == 300
    assert job["progress"]["done"] == 300
    part = client.get(f"/jobs/{job['id']}/files/part-00000.jsonl").raise_for_status()
    assert len(part.content.splitlines()) == 300
    assert client.get(f"/jobs/{job['id']}/files/..%2f..%2fservice.db").status_code == 404
    assert client.get(f"/jobs/{job['id']}/files/nothing").status_code == 404
    assert client.post(f"/jobs/{job['id']}/cancel").status_code == 409


def test_a_partitioned_output_is_fetched_by_the_names_that_the_result_lists(client: httpx.Client) -> None:
    wrong = client.post("/relabel-jobs", json={"path": "history.jsonl", "partition_by": "mood"})
    assert wrong.status_code == 422
    assert "mood" in wrong.text
    asked = client.post("/relabel-jobs", json={"path": "history.jsonl", "format": "jsonl", "partition_by": "priority"})
    job = finished(client, asked.json()["id"])
    parts = [name for name in job["result"]["files"] if name.startswith("priority=")]
    fetched = [client.get(f"/jobs/{job['id']}/files/{name}").raise_for_status().content for name in parts]
    assert sum(len(content.splitlines()) for content in fetched) == 300
    assert client.get(f"/jobs/{job['id']}/files/priority=urgent/../../service.db").status_code == 404


def test_an_upload(client: httpx.Client) -> None:
    content = "编号,内容\n1,快递怎么还没到\n2,\n".encode("gb18030")
    asked = client.post("/relabel-jobs/upload", files={"file": ("客户 反馈.csv", content)})
    job = finished(client, asked.raise_for_status().json()["id"])
    assert job["state"] == "done", job["error"]
    assert (job["result"]["rows"]["labelled"], job["result"]["rows"]["rejected"]) == (1, 1)
    rejected = client.get(f"/jobs/{job['id']}/files/rejects.jsonl").json()
    assert rejected["line"] == 3
    assert job["id"] in [entry["id"] for entry in client.get("/jobs", params={"kind": "relabel"}).json()]


def test_a_job_that_cannot_be_done_says_why(client: httpx.Client) -> None:
    asked = client.post("/relabel-jobs/upload", files={"file": ("n.csv", b"n,m\n1,2\n3,4\n")})
    job = finished(client, asked.raise_for_status().json()["id"])
    assert job["state"] == "failed"
    assert "no column holds text; the columns are n, m" in job["error"]


@pytest.mark.parametrize("path", ["../secret.jsonl", "/etc/passwd", "link.jsonl"])
def test_paths_out_of_the_folder_are_forbidden(client: httpx.Client, path: str) -> None:
    assert client.post("/relabel-jobs", json={"path": path}).status_code == 403


def test_what_is_not_there_or_not_known(client: httpx.Client) -> None:
    assert client.post("/relabel-jobs", json={"path": "none.jsonl"}).status_code == 404
    assert client.post("/relabel-jobs/upload", files={"file": ("a.exe", b"x")}).status_code == 422
    assert client.get("/jobs/job_none").status_code == 404
