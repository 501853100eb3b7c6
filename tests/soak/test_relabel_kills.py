"""Twenty random kills in a job of 200,000 rows, in one process and on Ray; kept under benchmarks/results.

Locally the process is killed and resumed. On Ray every other kill ends a worker, which the job must survive by itself,
and the others the whole job. After every kill of the job what is on the disk must be what the ledger says.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest

from tests.relabelling import ROOT, manifest, read_output, rejects

RESULT = ROOT / "benchmarks" / "results" / "relabel_kills.json"
ROWS = int(os.environ.get("RELABEL_ROWS", "200000"))
KILLS = int(os.environ.get("RELABEL_KILLS", "20"))
PART_ROWS = max(50, ROWS // 100)
EVERY_BAD = 97  # each such row holds no text


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("relabel") / "in.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for n in range(ROWS):
            text = "" if n % EVERY_BAD == 0 else f"快递第 {n % 5000} 次还没到"
            stream.write(json.dumps({"id": f"m-{n}", "text": text}, ensure_ascii=False) + "\n")
    return path


class Job:
    """The process of a job, begun again after each time it was killed."""

    def __init__(self, output: Path, source: Path, *, ray: Path | None) -> None:
        self._output, self._ray = output, ray
        fixed = ["--resume", "--part-rows", str(PART_ROWS), "--pause", "0.02"]
        more = [] if ray is None else ["--ray", str(ray)]
        self._command = [sys.executable, "-m", "tests.relabelling", str(output), str(source), *fixed, *more]
        self.starts = 0
        self.start()

    def start(self) -> None:
        """Begin or go on, in a process group of its own."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.starts += 1

    def part(self) -> int:
        """Wait until one more part is kept; returns the rows that are, 0 at the end of the process."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline() or 0)

    def kill(self) -> None:
        """Kill the job at once, wherever it is, then look at what is on the disk and go on."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        check_ledger(self._output)
        self.start()

    def kill_worker(self, chance: random.Random) -> bool:
        """Kill one of the newest two workers; returns whether there was one."""
        assert self._ray is not None
        newest = sorted(self._ray.iterdir(), key=lambda path: path.stat().st_mtime)[-2:]
        victims = [int(path.name) for path in newest if Path(f"/proc/{path.name}").exists()]
        if victims:
            os.kill(chance.choice(victims), signal.SIGKILL)
        return bool(victims)


def check_ledger(output: Path) -> None:
    lines = (output / ".job" / "ledger.jsonl").read_bytes().split(b"\n")[:-1]
    for entry in map(orjson.loads, lines[1:]):
        for file in entry["files"]:
            assert pq.read_metadata(output / file["name"]).num_rows == file["rows"]


def reconcile(output: Path) -> dict[str, int]:
    ids = Counter(str(row["id"]) for row in read_output(output))
    bad = Counter(int(str(row["line"])) for row in rejects(output))
    expected_bad = {n + 1 for n in range(0, ROWS, EVERY_BAD)}
    counted: Any = manifest(output)["rows"]
    assert counted["read"] == counted["labelled"] + counted["rejected"] == ROWS
    return {
        "labelled": sum(ids.values()),
        "rejected": sum(bad.values()),
        "lost": ROWS - len(ids) - len(bad),
        "doubled": sum(ids.values()) - len(ids) + sum(bad.values()) - len(bad),
        "wrongly_rejected": len(set(bad) - expected_bad),
    }


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_kills_lose_and_double_nothing(tmp_path: Path, source: Path, engine: str) -> None:
    ray = None
    if engine == "ray":
        pytest.importorskip("ray", reason="Ray is not installed: pip install 'nlp-service[ray]'")
        ray = tmp_path / "workers"
        ray.mkdir()
    output, chance, began = tmp_path / "out", random.Random(20), time.monotonic()
    moments = sorted(chance.sample(range(PART_ROWS, ROWS - 2 * PART_ROWS, PART_ROWS), KILLS))
    job = Job(output, source, ray=ray)
    worker_kills = 0
    for number, moment in enumerate(moments):
        while True:
            kept = job.part()
            assert kept, f"the job ended by itself before kill {number}"
            if kept >= moment:
                break
        time.sleep(chance.random() * 0.1)
        if ray is not None and number % 2 and job.kill_worker(chance):
            worker_kills += 1
        else:
            job.kill()
    while job.part():
        pass
    assert job.process.wait() == 0
    assert job.process.stdout is not None
    job.process.stdout.close()
    found = reconcile(output)
    assert (found["lost"], found["doubled"], found["wrongly_rejected"]) == (0, 0, 0)
    _keep(
        engine, rows=ROWS, kills=KILLS, worker_kills=worker_kills, seconds=round(time.monotonic() - began, 1), **found
    )


def _keep(engine: str, **found: float) -> None:
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    RESULT.write_text(json.dumps({**known, engine: found}, indent=2) + "\n", encoding="utf-8")
