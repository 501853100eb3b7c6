"""Another model is accepted while requests run: none fails, none mixes two versions, and there is a way back."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from nlp_service.adapters.registry import Registry
from nlp_service.bootstrap.parts import now
from nlp_service.errors import BundleError, Conflict, NotFound
from tests.acceptance.server import Served, command, environment, serve
from tests.bundles import write_bundle

SWAPS = 20


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    for seed, version in enumerate(("0.0.1", "0.0.2")):
        write_bundle(folder / f"tests-{version}", version=version, seed=seed)
    Registry(folder).promote("0.0.1", by="test", why="first", at=now())
    return folder


def models_command(models: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command("models", *arguments),
        cwd=models,
        env=environment(NLP_SERVICE_MODELS=str(models)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def await_version(running: Served, version: str) -> None:
    deadline = time.monotonic() + 30
    while running.client.get("/readyz").json()["model"]["version"] != version:
        assert time.monotonic() < deadline, f"version {version} was never swapped in"
        time.sleep(0.02)


def test_twenty_swaps_under_load_fail_no_request_and_mix_no_versions(models: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    mixed: list[str] = []
    answered: list[int] = []

    def load(url: str) -> None:
        with httpx.Client(base_url=url, timeout=60) as client:
            while not stop.is_set():
                body = {"messages": [{"text": f"退款到了没 {number}"} for number in range(8)]}
                response = client.post("/classify", json=body)
                answered.append(response.status_code)
                versions = {result["model"]["version"] for result in response.json()["results"]}
                if versions != {response.headers["X-Model-Version"]}:
                    mixed.append(str(versions))

    settings = {"NLP_SERVICE_MODELS": str(models), "NLP_SERVICE_MODEL_POLL_SECONDS": "0.05"}
    with serve(tmp_path, **settings) as running:
        threads = [threading.Thread(target=load, args=(running.url,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        registry = Registry(models)
        for swap in range(SWAPS):
            version = ("0.0.2", "0.0.1")[swap % 2]
            registry.promote(version, by="test", why="swap", at=now(), force=True)
            await_version(running, version)
        stop.set()
        for thread in threads:
            thread.join()
    assert set(answered) == {200}
    assert mixed == []
    assert len(Registry(models).history()) == SWAPS + 1


def test_a_damaged_candidate_changes_nothing(models: Path, tmp_path: Path) -> None:
    settings = {"NLP_SERVICE_MODELS": str(models), "NLP_SERVICE_MODEL_POLL_SECONDS": "0.05"}
    with serve(tmp_path, **settings) as running:
        (models / "tests-0.0.2" / "calibration.json").write_text("{}")
        with pytest.raises(BundleError, match=r"calibration\.json"):
            Registry(models).promote("0.0.2", by="test", why="", at=now())
        pointer = {"name": "tests", "version": "0.0.2", "path": "tests-0.0.2"}
        (models / "accepted.json").write_text(json.dumps(pointer))
        time.sleep(1)
        assert running.client.get("/readyz").json()["model"]["version"] == "0.0.1"
        assert any("model_swap_refused" in line for line in running.log)


def test_command_line_promotes_compares_and_rolls_back(models: Path) -> None:
    refused = models_command(models, "promote", "0.0.2", "--why", "better")
    assert refused.returncode == 4
    assert "models gate 0.0.2" in refused.stderr
    assert models_command(models, "promote", "0.0.2", "--force").returncode == 4, "by force only with a reason"
    forced = models_command(models, "promote", "0.0.2", "--force", "--why", "better")
    assert "0.0.2 is accepted" in forced.stdout
    assert [move.forced for move in Registry(models).history()] == [False, True]
    assert "*" in models_command(models, "list").stdout
    assert "model.onnx" in models_command(models, "diff", "0.0.1", "0.0.2").stdout
    assert "0.0.1 is accepted" in models_command(models, "rollback").stdout
    missing = models_command(models, "promote", "9.9.9")
    assert missing.returncode == 3
    assert "0.0.1, 0.0.2" in missing.stderr


def test_promoting_the_accepted_or_rolling_back_nothing_is_refused(models: Path) -> None:
    registry = Registry(models)
    with pytest.raises(Conflict):
        registry.promote("0.0.1", by="test", why="", at=now())
    with pytest.raises(Conflict):
        registry.rollback(by="test", at=now())
    with pytest.raises(NotFound):
        registry.find("1.2.3")


def test_a_shadow_sees_its_share_and_changes_no_answer(models: Path, tmp_path: Path) -> None:
    settings = {"NLP_SERVICE_MODELS": str(models), "NLP_SERVICE_MODEL_POLL_SECONDS": "0.05"}
    with serve(tmp_path, **settings) as running:
        client = running.client
        assert client.post("/models/0.0.1/shadow", json={"share": 0.5}).status_code == 409
        assert client.get("/models/shadow").status_code == 404
        assert client.post("/models/0.0.2/shadow", json={"share": 0.5}).status_code == 201
        deadline = time.monotonic() + 60
        sent = 0
        while not (sent and client.get("/models/shadow").json()["messages"]):
            body = {"messages": [{"id": f"m-{sent + n}", "text": f"退款到了没 {sent + n}"} for n in range(20)]}
            for answer in client.post("/classify", json=body).raise_for_status().json()["results"]:
                assert answer["model"]["version"] == "0.0.1"
            sent += 20
            assert time.monotonic() < deadline, "the shadow saw nothing"
            time.sleep(0.2)
        report = client.get("/models/shadow").json()
        assert report["shadow"]["version"] == "0.0.2"
        assert 0 < report["messages"] < sent
        assert set(report["agreement"]) == {"intent", "sentiment", "emotion", "priority", "department", "needs_human"}
        assert client.delete("/models/shadow").status_code == 204
        assert client.delete("/models/shadow").status_code == 409
        database = {"NLP_SERVICE_DATABASE": f"sqlite:///{tmp_path / 'service.db'}", "NLP_SERVICE_MODELS": str(models)}
        shown = subprocess.run(
            command("models", "shadow-report"), env=environment(**database), capture_output=True, text=True, check=True
        )
        assert "0.0.2" in shown.stdout
