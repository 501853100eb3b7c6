"""The steps of the Dockerfile's first stage without Docker: a fresh environment with the package and all it needs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.server import ROOT, environment

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]


def test_the_image_builds_and_answers(tmp_path: Path) -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    build = text.split("FROM ")[1]
    source, target = tmp_path / "source", tmp_path / "opt" / "nlp-service"
    source.mkdir()
    (tmp_path / "opt").mkdir()
    for line in re.findall(r"(?m)^COPY (.+)$", build):
        *names, where = line.split()
        for name in names:
            copied = source / (name if where in (".", "./") else where)
            copied.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-r", str(ROOT / name), str(copied)], check=True)
    for steps in re.findall(r"(?ms)^RUN (.*?)(?<!\\)$", build):
        moved = steps.replace("\\\n", " ").replace("/opt/", f"{tmp_path}/opt/").replace("/wheels", f"{tmp_path}/wheels")
        moved = re.sub(r"(^|&& )python -m", rf"\g<1>{sys.executable} -m", moved)
        done = subprocess.run(["sh", "-ec", moved], cwd=source, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    packages = {path.name for path in target.glob("lib/python*/site-packages/*")}
    assert not packages & {"torch", "transformers", "ray"}
    size = sum(path.stat().st_size for path in target.rglob("*") if path.is_file() and not path.is_symlink())
    assert size < 900_000_000, f"{size / 1e6:.0f} MB"
    kept = tmp_path / "data"
    kept.mkdir()
    variables = environment(NLP_SERVICE_MODELS=str(ROOT / "models"), NLP_SERVICE_DATABASE=f"sqlite:///{kept}/nlp.db")
    del variables["PYTHONPATH"]
    run = [str(target / "bin" / "nlp-service"), "classify", "快递三天没动了", "--json"]
    answered = subprocess.run(run, cwd=kept, env=variables, capture_output=True, text=True, check=False)
    assert answered.returncode == 0, answered.stderr
    assert "delivery_" in answered.stdout
