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
def test_fifty_kills_in_a_thousand_events(make_database: Callable[[str], str]) -> None:
    found = {}
    for kind in ("sqlite", "postgresql"):
        arrived = run(make_database(kind), events=1000, kills=50, seed=6)
        found[kind] = asdict(arrived)
        assert arrived.holds, arrived
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
