"""The robustness suite: minimal changes with an expected answer, and what counts as passing one."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import orjson

from nlp_service.errors import CorpusError

STEPS = {-2: "very_negative", -1: "negative", 0: "neutral", 1: "positive", 2: "very_positive"}
Answer = Mapping[str, Any]  # as `nlp-service classify` writes it


def read_robustness(folder: Path | None = None) -> list[Mapping[str, Any]]:
    """Return the cases of a folder of JSONL files, the shipped ones by default; raises CorpusError naming the line."""
    root = Path(str(files("nlp_service.contract").joinpath("robustness"))) if folder is None else folder
    found: list[Mapping[str, Any]] = []
    for path in sorted(root.glob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), 1):
            try:
                case = orjson.loads(line)
                found.append({"family": case["family"], "text": case["text"], "expect": dict(case["expect"]), **case})
            except (orjson.JSONDecodeError, KeyError, TypeError) as exc:
                raise CorpusError(f"{path}:{number}: not a robustness case: {exc}") from exc
    return found


def points(expect: Mapping[str, Any], answer: Answer, base: Answer | None) -> list[bool]:
    """Return one result per expectation of a case; ``base`` answers the text that the case must not move away from."""
    found: list[bool] = []
    intent = answer["intent"]["label"]
    if "intent" in expect:
        found.append(intent == expect["intent"])
    if "same_as" in expect and base is not None:
        found.append(intent == base["intent"]["label"])
    if "emotion" in expect:
        found.append(answer["emotion"]["label"] == expect["emotion"])
    if "flags" in expect:
        found.append(set(expect["flags"]) <= {flag["label"] for flag in answer["flags"]})
    if "sentiment_sign" in expect:
        value = next((value for value, name in STEPS.items() if name == answer["sentiment"]["label"]), 0)
        found.append((value > 0) - (value < 0) in expect["sentiment_sign"])
    return found
