"""The code blocks of the documents: which are there, and how a document's are run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block; ```sh run is run, ```python save=NAME is written to NAME before that."""

    language: str
    words: tuple[str, ...]  # what follows the language
    body: str
    line: int

    @property
    def saved(self) -> str | None:
        return next((word.removeprefix("save=") for word in self.words if word.startswith("save=")), None)


def documents() -> list[Path]:
    return sorted(path for path in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))


def blocks(path: Path) -> Iterator[Block]:
    text = path.read_text(encoding="utf-8")
    for found in _FENCE.finditer(text):
        language, *words = found["info"].split() or [""]
        yield Block(language, tuple(words), found["body"], text[: found.start()].count("\n") + 1)


def run_document(path: Path, folder: Path, *, seconds: float) -> str:
    """Run a document's marked blocks in order, in one shell, in a folder with the repository's models and corpora.

    Returns what was printed. Fails with the line of the block that fails.
    """
    binaries = folder / "bin"
    binaries.mkdir()
    for name, run in (("nlp-service", f'"{sys.executable}" -m nlp_service'), ("python", f'"{sys.executable}"')):
        wrapper = binaries / name
        wrapper.write_text(f'#!/bin/sh\nexec {run} "$@"\n')
        wrapper.chmod(0o755)
    for name in ("models", "corpora"):
        (folder / name).symlink_to(ROOT / name)
    script = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT"]
    for block in blocks(path):
        if block.saved:
            (folder / block.saved).write_text(block.body, encoding="utf-8")
        elif "run" in block.words:
            script += [f"echo '# {path.name}:{block.line}' >&2", block.body]
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)],
        cwd=folder,
        env={
            **kept,
            "PATH": f"{binaries}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONUTF8": "1",
            "COLUMNS": "200",
        },
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, f"{path.name} fails ({done.returncode}):\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout
