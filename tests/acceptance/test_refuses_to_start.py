"""What does not fit is refused at the start, with both values named and an exit code."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.acceptance.server import ROOT, command, environment


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    settings.setdefault("NLP_SERVICE_DATABASE", f"sqlite:///{folder / 'service.db'}")
    settings.setdefault("NLP_SERVICE_MODELS", str(ROOT / "models"))
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Return a copy of the accepted bundle, with the large model linked, not copied."""
    source = ROOT / "models"
    accepted = json.loads((source / "accepted.json").read_text())
    bundle = tmp_path / "models" / accepted["path"]
    bundle.mkdir(parents=True)
    shutil.copy(source / "accepted.json", tmp_path / "models")
    for path in (source / accepted["path"]).iterdir():
        shutil.copy(path, bundle)
    return tmp_path / "models"


def bundle_of(models: Path) -> Path:
    return models / str(json.loads((models / "accepted.json").read_text())["path"])


def test_busy_port(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        result = run(tmp_path, "serve", "--port", port)
    assert result.returncode == 2
    assert port in result.stderr
    assert "--port" in result.stderr


def test_damaged_model(tmp_path: Path, models: Path) -> None:
    model = bundle_of(models) / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 0xFF
    model.write_bytes(content)
    result = run(tmp_path, "serve", "--port", "0", NLP_SERVICE_MODELS=str(models))
    assert result.returncode == 2
    assert "model.onnx" in result.stderr
    assert "damaged" in result.stderr


def test_taxonomy_that_does_not_match(tmp_path: Path, models: Path) -> None:
    manifest = bundle_of(models) / "manifest.json"
    raw = json.loads(manifest.read_text())
    known = raw["taxonomy_fingerprint"]
    raw["taxonomy_fingerprint"] = "0123456789abcdef"
    manifest.write_text(json.dumps(raw))
    result = run(tmp_path, "serve", "--port", "0", NLP_SERVICE_MODELS=str(models))
    assert result.returncode == 2
    assert known in result.stderr
    assert "0123456789abcdef" in result.stderr


def test_missing_models(tmp_path: Path) -> None:
    result = run(tmp_path, "serve", "--port", "0", NLP_SERVICE_MODELS=str(tmp_path / "nowhere"))
    assert result.returncode == 2
    assert "nowhere" in result.stderr


def test_policy_with_a_fault_names_the_line(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("version: 1\nrules:\n  - id: wrong\n    wenn: {}\n", encoding="utf-8")
    result = run(tmp_path, "classify", "你好", "--policy", str(policy))
    assert result.returncode == 2
    assert "policy.yaml" in result.stderr
    assert ":3" in result.stderr or ":4" in result.stderr or "line" in result.stderr


def test_unknown_setting_value(tmp_path: Path) -> None:
    result = run(tmp_path, "serve", "--port", "0", NLP_SERVICE_WORKERS="many")
    assert result.returncode == 2
    assert "NLP_SERVICE_WORKERS" in result.stderr


def test_database_that_cannot_be_written(tmp_path: Path) -> None:
    result = run(tmp_path, "serve", "--port", "0", NLP_SERVICE_DATABASE="sqlite:////proc/nowhere/service.db")
    assert result.returncode in {2, 6}
    assert "/proc/nowhere" in result.stderr
