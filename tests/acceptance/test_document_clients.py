"""The client examples of the hub guide against a served process: curl, Python and JavaScript."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.acceptance.server import Served, environment
from tests.documents import ROOT, blocks

GUIDE = ROOT / "docs" / "how-to" / "hub-integration.md"
ASKED = '\nclassify({text: "快递三天没动了"}).then((answer) => console.log(answer.intent.label));\n'


@pytest.mark.parametrize("language", ["sh", "python", "js"])
def test_example_is_answered(served: Served, language: str, tmp_path: Path) -> None:
    programs = {"sh": "bash", "python": sys.executable, "js": "node"}
    program = shutil.which(programs[language])
    if program is None or (language == "sh" and shutil.which("curl") is None):
        pytest.skip(f"no {programs[language]} here")
    bodies = [block.body for block in blocks(GUIDE) if block.language == language]
    assert bodies
    script = tmp_path / "example"
    body = "".join(bodies) + (ASKED if language == "js" else "")
    script.write_text(body.replace("http://127.0.0.1:8080", served.url), encoding="utf-8")
    done = subprocess.run(
        [program, str(script)], env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "delivery_" in done.stdout, done.stdout
