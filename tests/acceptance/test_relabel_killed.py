"""A relabelling process killed at random moments, on a full disk, or run twice: no row lost, none doubled."""

from __future__ import annotations

import json
import random
import resource
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.relabelling import ROOT, job, manifest, read_output, rejects

ROWS, KILLS, PART_ROWS = 3000, 3, 50  # `make soak-relabel` takes 200,000 rows and 20 kills
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("relabel") / "in.jsonl"
    with path.open("w", encoding="utf-8") as stream:
        for n in range(ROWS):
            text = "" if n % 97 == 0 else f"快递第 {n % 800} 次还没到"
            stream.write(json.dumps({"id": f"m-{n}", "text": text}, ensure_ascii=False) + "\n")
    return path


def command(output: Path, source: Path, *more: str) -> list[str]:
    fixed = ["--resume", "--part-rows", str(PART_ROWS)]
    return [sys.executable, "-m", "tests.relabelling", str(output), str(source), *fixed, *more]


def check(output: Path) -> None:
    ids = Counter(row["id"] for row in read_output(output))
    bad = [row["line"] for row in rejects(output)]
    assert max(ids.values()) == 1
    assert len(ids) + len(bad) == ROWS
    assert sorted(bad) == [n + 1 for n in range(0, ROWS, 97)]
    counted: Any = manifest(output)["rows"]
    assert (counted["read"], counted["labelled"], counted["rejected"]) == (ROWS, len(ids), len(bad))
    assert not (output / ".job").exists()


def test_killed_at_random_moments_it_loses_and_doubles_nothing(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    moments = random.Random(7)
    for kill in range(KILLS):
        process = subprocess.Popen(
            command(output, source, "--pause", "0.03"), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert process.stdout is not None
        first = process.stdout.readline()  # a part is kept
        assert first, f"the process ended by itself before kill {kill}"
        time.sleep(moments.uniform(0.0, 0.4))
        process.send_signal(signal.SIGKILL)
        process.wait(30)
        process.stdout.close()
        if (output / "manifest.json").exists():
            break
    if not (output / "manifest.json").exists():
        subprocess.run(command(output, source), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    check(output)


def test_a_full_disk_ends_with_the_remedy_and_can_go_on(tmp_path: Path, source: Path) -> None:
    """A limit on the size of a file stands for a disk that is full: the same call fails in the same way."""
    output = tmp_path / "out"
    limited = subprocess.run(
        command(output, source),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000)),
    )
    assert limited.returncode != 0
    assert "JobError: the disk of" in limited.stderr
    assert "free some space and go on with --resume" in limited.stderr
    assert not (output / "manifest.json").exists()
    subprocess.run(command(output, source), cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    check(output)


def test_two_processes_on_one_output_take_turns(tmp_path: Path, source: Path) -> None:
    output = tmp_path / "out"
    first = subprocess.Popen(command(output, source), cwd=ROOT, stdout=subprocess.DEVNULL)
    second = subprocess.run(command(output, source), cwd=ROOT, capture_output=True, text=True, check=False)
    assert first.wait(60) == 0 or "holds a finished job" in second.stderr or second.returncode == 0
    check(output)


def test_the_same_parts_as_a_run_without_a_kill(tmp_path: Path, source: Path) -> None:
    job(tmp_path / "whole", [str(source)], part_rows=PART_ROWS)()
    check(tmp_path / "whole")
