"""`nlp-service models gate` on real bundles, and what it means for `models promote`."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from nlp_service.adapters.registry import Registry
from nlp_service.bootstrap.parts import now
from nlp_service.contract.robustness import read_robustness
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.errors import Conflict
from tests.acceptance.server import command, environment, serve
from tests.bundles import seal, write_bundle


def gate(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"NLP_SERVICE_MODELS": str(folder / "models")}
    return subprocess.run(
        command("models", "gate", *arguments),
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path, taxonomy: Taxonomy) -> Path:
    models = tmp_path / "models"
    models.mkdir()
    write_bundle(models / "tests-0.0.1", version="0.0.1", seed=0)
    write_bundle(models / "tests-0.0.2", version="0.0.2", seed=1)
    shutil.copytree(models / "tests-0.0.1", models / "tests-0.0.3")
    seal(models / "tests-0.0.3", taxonomy, version="0.0.3")
    Registry(models).promote("0.0.1", by="test", why="first", at=now())
    texts = [json.dumps({"text": f"快递没到 {i}", "intent": "delivery_delay", "sentiment": -1}) for i in range(60)]
    (tmp_path / "frozen.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return tmp_path


def test_an_identical_candidate_is_rejected_and_not_promoted(folder: Path) -> None:
    done = gate(folder, "0.0.3", "--eval", "frozen.jsonl", "--report", "report")
    assert done.returncode == 11, done.stderr
    assert "the candidate is the accepted model" in done.stdout
    report = json.loads((folder / "report" / "trial.json").read_text(encoding="utf-8"))
    assert report["decision"] == "reject"
    assert {"cost", "head", "robustness"} <= {check["kind"] for check in report["checks"]}
    assert "<svg" in (folder / "report" / "trial.html").read_text(encoding="utf-8")
    assert (folder / "report" / "trial.md").is_file()
    registry = Registry(folder / "models")
    with pytest.raises(Conflict, match="its trial says reject"):
        registry.promote("0.0.3", by="test", why="", at=now())
    with pytest.raises(Conflict, match="never held against"):
        registry.promote("0.0.2", by="test", why="", at=now())


def test_a_trial_counts_for_the_files_that_were_tried(folder: Path, taxonomy: Taxonomy) -> None:
    registry = Registry(folder / "models")
    report = folder / "models" / "trials" / "tests-0.0.2.json"
    gate(folder, "0.0.2", "--eval", "frozen.jsonl")
    kept = json.loads(report.read_text(encoding="utf-8"))
    report.write_text(json.dumps({**kept, "decision": "promote"}), encoding="utf-8")
    assert registry.objection(registry.find("0.0.2")) is None
    (folder / "models" / "tests-0.0.2" / "card.md").write_text("changed", encoding="utf-8")
    seal(folder / "models" / "tests-0.0.2", taxonomy, version="0.0.2")
    objection = registry.objection(registry.find("0.0.2"))
    assert objection is not None
    assert "other files" in objection


def test_a_missing_file_is_named(folder: Path) -> None:
    done = gate(folder, "0.0.2", "--eval", "nowhere.jsonl")
    assert done.returncode == 3
    assert "nowhere.jsonl" in done.stderr


def test_the_shipped_cases_are_found() -> None:
    assert len(read_robustness()) >= 400


def test_drift_is_answered_over_http_and_by_the_command(tmp_path: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    write_bundle(models / "tests-0.0.1", version="0.0.1", seed=0)
    Registry(models).promote("0.0.1", by="test", why="first", at=now())
    with serve(tmp_path, NLP_SERVICE_MODELS=str(models)) as running:
        running.client.post("/classify", json={"text": "退款到了没"}).raise_for_status()
        found = running.client.get("/drift").raise_for_status().json()
        assert found["model"] == {"name": "tests", "version": "0.0.1"}
        assert found["missing"] == ["labels", "languages", "confidence", "embedding"]
        settings = {"NLP_SERVICE_MODELS": str(models), "NLP_SERVICE_DATABASE": f"sqlite:///{tmp_path / 'service.db'}"}
        done = subprocess.run(
            command("drift", "--json"), env=environment(**settings), capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["weeks"][-1]["messages"] == 1
        assert running.client.get("/drift").json()["weeks"][-1]["state"] == "few"
