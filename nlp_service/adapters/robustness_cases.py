"""The robustness suite that comes with the service: minimal changes with an expected answer."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from nlp_service.errors import CorpusError


def read_robustness(folder: Path | None = None) -> list[Mapping[str, Any]]:
    """Return the cases of a folder of JSONL files, the shipped ones by default; raises CorpusError naming the line."""
    root = Path(str(files("nlp_service.adapters").joinpath("robustness"))) if folder is None else folder
    found: list[Mapping[str, Any]] = []
    for path in sorted(root.glob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                case = orjson.loads(line)
                found.append({"family": case["family"], "text": case["text"], "expect": dict(case["expect"]), **case})
            except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
                raise CorpusError(f"{path}:{number}: not a robustness case: {exc}") from exc
    return found
