"""The worker killed at 50 random moments of a run of 1,000 events; the result is kept under benchmarks/results."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.kills import run

RESULT = Path(__file__).parents[2] / "benchmarks" / "results" / "delivery_kills.json"


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_fifty_kills_in_a_thousand_events(make_database: Callable[[str], str], kind: str) -> None:
    arrived = run(make_database(kind), events=1000, kills=50, seed=6, lease_timeout="1")
    assert arrived.holds, arrived
    known = json.loads(RESULT.read_text(encoding="utf-8")) if RESULT.is_file() else {}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({**known, kind: asdict(arrived)}, indent=2) + "\n", encoding="utf-8")
