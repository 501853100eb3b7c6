"""The wheel: what is in it, and that the service works from it alone, without the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.acceptance.server import ROOT, environment

MODELS = ROOT / "models"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="hatchling builds the wheel: pip install '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    run = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(run, cwd=ROOT, check=True, capture_output=True, timeout=120)
    [built] = folder.glob("*.whl")
    return built


def test_everything_that_is_needed_is_inside(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        names = set(opened.namelist())
        [metadata] = [opened.read(name).decode() for name in names if name.endswith(".dist-info/METADATA")]
    package = {str(path.relative_to(ROOT)) for path in (ROOT / "nlp_service").rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    assert package <= names, package - names
    assert {"nlp_service/demo/messages.jsonl", "nlp_service/demo/story.json", "nlp_service/py.typed"} <= names
    assert {name.rsplit("/", 1)[1] for name in names if "/licenses/" in name} >= {"LICENSE", "NOTICE.md"}
    assert not [name for name in names if name.startswith(("training/", "tests/", "models/"))]
    assert "License-Expression: Apache-2.0" in metadata
    assert wheel.stat().st_size < 5_000_000


def test_the_service_works_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    if not (MODELS / "accepted.json").is_file():
        pytest.skip(f"no trained bundle in {MODELS}")
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(installed)
    variables = environment(
        PYTHONPATH=str(installed),
        NLP_SERVICE_MODELS=str(MODELS),
        NLP_SERVICE_DATABASE=f"sqlite:///{tmp_path / 'service.db'}",
        NLP_SERVICE_PORT="0",
    )

    def run(*arguments: str) -> str:
        asked = [sys.executable, *arguments]
        done = subprocess.run(
            asked, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    where = "import nlp_service.bootstrap.demo as demo; print(demo.demo_folder())"
    assert run("-c", where).strip() == str(installed / "nlp_service" / "demo")
    findings = run("-m", "nlp_service", "doctor")
    assert "wrong" not in findings
    assert "labelled as" in findings
