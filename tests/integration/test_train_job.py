"""Training over HTTP: off by default, only files of the open folder, and progress read off the log."""

from __future__ import annotations

from pathlib import Path

import pytest

from nlp_service.adapters.train_process import TrainOrder, TrainProcess
from nlp_service.core.train_log import parse_stage, parse_step
from nlp_service.errors import Cancelled, ConfigurationError, JobError
from tests.acceptance.server import serve

TRAINING = """
import sys, time
print("10:00:00 stage training", file=sys.stderr, flush=True)
print("10:00:20 step 5/20, 42 s left: intent=1.203 loss=2.500", file=sys.stderr, flush=True)
{rest}
"""


def write_training(folder: Path, rest: str) -> TrainProcess:
    """Write a training package that says what the real one says."""
    (folder / "training").mkdir()
    (folder / "training" / "__init__.py").write_text("", encoding="utf-8")
    (folder / "training" / "__main__.py").write_text(TRAINING.format(rest=rest), encoding="utf-8")
    return TrainProcess(folder)


def order(folder: Path) -> TrainOrder:
    return TrainOrder(corpora=(folder / "new.jsonl",), parent=folder, out=folder / "out", version="1.0.1")


def test_progress_is_read_off_the_log(tmp_path: Path) -> None:
    said: list[str] = []
    bundle = write_training(tmp_path, "").run(order(tmp_path), say=said.append)
    assert bundle == tmp_path / "out" / "bundle"
    assert parse_stage(said[0]) == "training"
    step = parse_step(said[1])
    assert step is not None
    assert (step.step, step.steps, step.seconds_left) == (5, 20, 42)
    assert step.losses == "intent=1.203 loss=2.500"
    assert parse_step(said[0]) is None


def test_a_failure_repeats_what_training_said(tmp_path: Path) -> None:
    process = write_training(tmp_path, "print('error: intent x is not in the taxonomy', file=sys.stderr); sys.exit(2)")
    with pytest.raises(JobError, match="intent x is not in the taxonomy; what is finished stays"):
        process.run(order(tmp_path), say=lambda _: None)


def test_cancelling_ends_the_process(tmp_path: Path) -> None:
    process = write_training(tmp_path, "time.sleep(60)")
    said: list[str] = []

    def check() -> None:
        if len(said) == 2:
            raise Cancelled("enough")

    with pytest.raises(Cancelled):
        process.run(order(tmp_path), say=said.append, check=check)


def test_a_folder_without_training_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="NLP_SERVICE_TRAINING_FOLDER"):
        TrainProcess(tmp_path).require()


def test_it_is_off_unless_the_operator_says_so(tmp_path: Path) -> None:
    body = {"corpora": ["new.jsonl"]}
    with serve(tmp_path) as running:
        refused = running.client.post("/training-jobs", json=body)
        assert refused.status_code == 403
        assert "NLP_SERVICE_TRAINING_JOBS" in refused.json()["detail"]
    corpora = tmp_path / "corpora"
    corpora.mkdir()
    (corpora / "new.jsonl").write_text("{}\n", encoding="utf-8")
    (tmp_path / "secret.jsonl").write_text("{}\n", encoding="utf-8")
    settings = {
        "NLP_SERVICE_TRAINING_JOBS": "true",
        "NLP_SERVICE_TRAINING_CORPORA": str(corpora),
        "NLP_SERVICE_TRAINING_FOLDER": str(tmp_path / "nowhere"),
    }
    with serve(tmp_path, **settings) as running:
        client = running.client
        assert client.post("/training-jobs", json={"corpora": ["../secret.jsonl"]}).status_code == 403
        assert client.post("/training-jobs", json={"corpora": ["none.jsonl"]}).status_code == 404
        job = client.post("/training-jobs", json=body)
        assert job.status_code == 202
        assert job.json()["kind"] == "train"
