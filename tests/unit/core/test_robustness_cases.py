"""The robustness cases themselves: well-formed, known to the taxonomy, no case twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.messages import MAX_CONTEXT_TURNS

CASES = Path(__file__).parents[2] / "golden" / "robustness"
FAMILIES = sorted(path.stem for path in CASES.glob("*.jsonl"))


def cases(family: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CASES / f"{family}.jsonl").read_text(encoding="utf-8").splitlines()]


def test_there_are_enough() -> None:
    assert sum(len(cases(family)) for family in FAMILIES) >= 400


@pytest.mark.parametrize("family", FAMILIES)
def test_well_formed(family: str, taxonomy: Taxonomy) -> None:
    seen = set()
    for case in cases(family):
        assert set(case) <= {"family", "text", "context", "expect", "known_failure"}, case
        assert case["family"] == family
        assert len(case.get("context", [])) <= MAX_CONTEXT_TURNS
        expect = case["expect"]
        assert expect
        assert set(expect) <= {"intent", "sentiment_sign", "emotion", "flags", "same_as"}, case
        assert expect.get("intent", "other") in taxonomy.intents, case
        assert expect.get("emotion", "neutral") in taxonomy.emotions, case
        assert set(expect.get("flags", [])) <= set(taxonomy.flags), case
        assert set(expect.get("sentiment_sign", [0])) <= {-1, 0, 1}, case
        assert expect.get("same_as") != case["text"], case
        key = (case["text"], tuple(case.get("context", [])))
        assert key not in seen, case
        seen.add(key)
