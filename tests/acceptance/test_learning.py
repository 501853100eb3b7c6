"""Learning on from end to end, with a small encoder that is really trained.

New messages with planted errors become a better model; one with shuffled labels is rejected; the better one is swapped
in under load without a failed request; and there is a way back.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import threading
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from nlp_service.adapters.registry import Registry
from nlp_service.bootstrap.parts import now
from nlp_service.contract.corpus import Record, read_records, write_records
from tests.acceptance.server import ROOT, command, environment, serve
from training.__main__ import main

INTENTS, PLANTED = 8, 0.08
RECIPE = """
name: tiny-onward
quantisation: static8
data: {own: []}
train: {epochs: 6, budget: 1024, encoder_rate: 2.0e-3, heads_rate: 4.0e-3, layer_decay: 1.0, average: 0.98,
  embedding_weight: 0.5, max_tokens: 64, max_context: 24}
"""


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {
        "NLP_SERVICE_MODELS": str(folder / "models"),
        "NLP_SERVICE_TRAINING_FOLDER": str(ROOT),
        "OMP_NUM_THREADS": "2",
    }
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write three parts of our own corpus and train the first, accepted model on the smallest."""
    root = tmp_path_factory.mktemp("learning")
    records = [record for record in read_records(ROOT / "corpora" / "own" / "zh.jsonl") if record.intent]
    chosen = {intent for intent, _ in Counter(record.intent for record in records).most_common(INTENTS)}
    records = [record for record in records if record.intent in chosen]
    random.Random(1).shuffle(records)
    first, new, frozen = records[:150], records[150:1050], records[1050:1450]
    (root / "repository" / "own").mkdir(parents=True)
    shutil.copy(ROOT / "corpora" / "taxonomy.yaml", root / "repository" / "taxonomy.yaml")
    write_records(first, root / "repository" / "own" / "zh.jsonl")
    write_records(planted(new), root / "new.jsonl")
    write_records(shuffled(new), root / "shuffled.jsonl")
    write_records(frozen, root / "frozen.jsonl")
    (root / "onward.yaml").write_text(RECIPE, encoding="utf-8")
    recipe = ["--recipe", str(ROOT / "training" / "recipes" / "tiny.yaml"), "--repository", str(root / "repository")]
    places = ["--corpora", str(root / "none"), "--out", str(root / "first"), "--cache", str(root / "first")]
    assert main(["run", *recipe, *places, "--set", "train.epochs=3", "--version", "1.0.0"]) == 0
    registry = Registry(root / "models")
    (root / "models").mkdir()
    registry.add(root / "first" / "bundle")
    registry.promote("1.0.0", by="test", why="first", at=now())
    return root


def planted(records: list[Record]) -> list[Record]:
    """Give some messages a label of another message."""
    draw, labels = random.Random(2), sorted({str(record.intent) for record in records})
    return [replace(r, intent=draw.choice(labels)) if draw.random() < PLANTED else r for r in records]


def shuffled(records: list[Record]) -> list[Record]:
    labels = [record.intent for record in records]
    random.Random(3).shuffle(labels)
    return [replace(record, intent=label) for record, label in zip(records, labels, strict=True)]


def train(folder: Path, corpus: str) -> str:
    """Train a candidate; returns its version."""
    done = run(folder, "train", "--corpus", corpus, "--recipe", "onward.yaml", "--out", f"run-{Path(corpus).stem}")
    assert done.returncode == 0, done.stderr
    assert "s left: " in done.stderr
    return done.stdout.split()[1].rpartition("-")[2]


@pytest.mark.timeout(900)  # two trainings; about half a minute on idle cores
def test_a_corpus_becomes_a_better_model_and_a_bad_one_does_not(folder: Path) -> None:
    bad = train(folder, "shuffled.jsonl")
    assert bad == "1.0.1"
    sets = ["--eval", "frozen.jsonl", "--eval", "run-shuffled/holdout.jsonl"]
    rejected = run(folder, "models", "gate", bad, *sets)
    assert rejected.returncode == 11, rejected.stdout + rejected.stderr
    assert "its trial says reject" in run(folder, "models", "promote", bad).stderr

    good = train(folder, "new.jsonl")
    assert good == "1.0.2"
    lineage = Registry(folder / "models").find(good).manifest.lineage
    assert lineage["parent"] == "feedback-multilingual-1.0.0"
    assert set(lineage) >= {"code", "parameters", "corpora", "metrics", "seed"}
    assert "file new.jsonl" in lineage["corpora"]
    assert "intent accuracy" in lineage["metrics"]
    # Few messages and small models: what is a point of a head in earnest is ten here.
    shipped = (ROOT / "nlp_service" / "policy" / "trial.yaml").read_text(encoding="utf-8")
    roomy = shipped.replace("head: 0.01", "head: 0.10").replace("robustness: 0.03", "robustness: 0.40")
    (folder / "limits.yaml").write_text(roomy, encoding="utf-8")
    wider = ["--limits", "limits.yaml", "--report", "report"]
    passed = run(folder, "models", "gate", good, "--eval", "frozen.jsonl", *wider)
    assert passed.returncode == 0, passed.stdout + passed.stderr
    assert json.loads((folder / "report" / "trial.json").read_text(encoding="utf-8"))["decision"] == "promote"
    swap_under_load(folder, good)


def swap_under_load(folder: Path, good: str) -> None:
    stop, answered = threading.Event(), Counter[int]()

    def load(url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                answered[client.post("/classify", json={"text": "退款什么时候到"}).status_code] += 1

    settings = {"NLP_SERVICE_MODELS": str(folder / "models"), "NLP_SERVICE_MODEL_POLL_SECONDS": "0.05"}
    with serve(folder, **settings) as running:
        thread = threading.Thread(target=load, args=(running.url,))
        thread.start()
        promoted = run(folder, "models", "promote", good, "--why", "passed the gate")
        assert promoted.returncode == 0, promoted.stderr
        await_version(running.client, good)
        assert run(folder, "models", "rollback").returncode == 0
        await_version(running.client, "1.0.0")
        stop.set()
        thread.join()
    assert set(answered) == {200}


def await_version(client: httpx.Client, version: str) -> None:
    deadline = time.monotonic() + 30
    while client.get("/readyz").json()["model"]["version"] != version:
        assert time.monotonic() < deadline, f"version {version} was never swapped in"
        time.sleep(0.05)


def test_training_says_what_it_lacks(folder: Path) -> None:
    done = subprocess.run(
        command("train", "--corpus", "new.jsonl"),
        cwd=folder,
        env=environment(NLP_SERVICE_MODELS=str(folder / "models")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "NLP_SERVICE_TRAINING_FOLDER" in done.stderr


def test_an_unknown_label_is_named_before_anything_is_trained(folder: Path) -> None:
    write_records([Record(text=f"text {i}", intent="gift_wrap") for i in range(20)], folder / "unknown.jsonl")
    done = run(folder, "train", "--corpus", "unknown.jsonl", "--out", "run-unknown")
    assert done.returncode == 7
    assert "intent 'gift_wrap'" in done.stderr
