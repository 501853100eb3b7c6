"""The same job on Ray, a worker killed in the middle: nothing lost, nothing doubled, the same output."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from nlp_service.adapters.ray import RayLabeller
from nlp_service.core.relabelling import Progress
from nlp_service.errors import ConfigurationError
from tests.relabelling import ROOT, build_in_worker, job, manifest, read_output


@pytest.fixture
def source(tmp_path: Path) -> Path:
    lines = [json.dumps({"id": f"m-{n}", "text": f"快递 {n} 还没到"}, ensure_ascii=False) for n in range(600)]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return tmp_path / "in.jsonl"


@pytest.mark.timeout(600)
@pytest.mark.filterwarnings("ignore")  # of Ray itself
def test_a_killed_worker_loses_nothing(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'nlp-service[ray]'")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # the workers import the tests
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else they starve on a machine that does other work
    workers = tmp_path / "workers"
    workers.mkdir()
    killed: list[int] = []

    def kill_one(progress: Progress) -> None:
        if progress.tally.rows >= 100 and not killed:
            killed.append(int(next(workers.iterdir()).name))
            os.kill(killed[0], signal.SIGKILL)

    remote = RayLabeller(partial(build_in_worker, workers, 0.05), workers=2)
    job(tmp_path / "ray", [str(source)], elsewhere=remote)(report=kill_one)
    job(tmp_path / "local", [str(source)])()

    assert killed
    assert len(list(workers.iterdir())) >= 2  # the killed one's chunks went to another, or to itself made anew
    assert list(read_output(tmp_path / "ray")) == list(read_output(tmp_path / "local"))
    assert manifest(tmp_path / "ray") == manifest(tmp_path / "local")


def test_without_ray_the_remedy_is_said(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)  # as if it were not installed
    made = job(
        tmp_path / "out", [str(source)], elsewhere=RayLabeller(partial(build_in_worker, tmp_path, 0.0), workers=1)
    )
    with pytest.raises(ConfigurationError, match=r"pip install 'nlp-service\[ray\]'"):
        made()
