"""What changed between two models over the same file, in three forms."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import orjson
import pytest

from nlp_service.adapters.files.pairs import compare_outputs, write_comparison
from nlp_service.core.comparison import Comparison, Opinion, telling
from nlp_service.errors import NotFound
from tests.relabelling import job, read_output

START = datetime(2026, 3, 2, tzinfo=UTC)


def opinion(key: str = "m", intent: str = "invoice", department: str = "finance", **fields: object) -> Opinion:
    given = {
        "text": "一句话",
        "confidence": 0.9,
        "sentiment": 0.0,
        "priority": "normal",
        "needs_human": False,
        "sent_at": START,
        **fields,
    }
    return Opinion(id=key, intent=intent, department=department, **given)  # type: ignore[arg-type]


def test_two_models_over_one_file(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": f"m-{n}", "text": f"快递 {n} 还没到 | 退款", "time": str(START + timedelta(hours=5 * n))})
        for n in range(90)
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(lines), encoding="utf-8")
    job(tmp_path / "old", [str(tmp_path / "in.jsonl")])()
    job(tmp_path / "new", [str(tmp_path / "in.jsonl")], version="0.0.2", form="jsonl")()
    data = write_comparison(tmp_path / "old", tmp_path / "new", tmp_path / "report")

    rows = {row["id"]: row for row in read_output(tmp_path / "old")}
    moved = sum(rows[row["id"]]["intent"] != row["intent"] for row in read_output(tmp_path / "new"))
    assert sum(move["messages"] for move in data["intent"] if move["before"] != move["after"]) == moved > 0
    assert data["messages"] == 90 == sum(row["after"] for row in data["forecast"])
    assert 0 < len(data["examples"]) <= 50
    assert all("week" in key for row in data["forecast"] for key in ("before_week", "after_week") if key in row)
    assert orjson.loads((tmp_path / "report" / "report.json").read_bytes()) == data
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    HTMLParser().feed(page)
    assert page.count("<svg") == 2
    assert "http" not in page
    assert "0.0.2" in (tmp_path / "report" / "report.md").read_text(encoding="utf-8")
    sliced = compare_outputs(tmp_path / "old", tmp_path / "new", size=7).as_data()
    assert {**sliced, "examples": None} == {key: data[key] for key in sliced} | {"examples": None}


def test_an_output_that_is_not_finished_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="holds no finished relabelling"):
        write_comparison(tmp_path, tmp_path, tmp_path / "report")


def test_consequences_and_confidence_make_an_example_telling() -> None:
    plain = telling(opinion(), opinion(intent="billing"))
    assert telling(opinion(), opinion(intent="billing", priority="urgent")) > plain
    assert telling(opinion(), opinion(intent="billing", confidence=0.3)) < plain
    assert telling(opinion(), opinion(sentiment=-0.9)) == 0


def test_a_frequent_move_does_not_fill_the_examples() -> None:
    comparison = Comparison()
    for n in range(100):
        comparison.count(opinion(f"a-{n}"), opinion(f"a-{n}", "billing"))
    comparison.count(opinion("b"), opinion("b", "complaint", "complaints"))
    assert next(before.id for before, _ in comparison.examples()) == "b"
    assert len(comparison.examples()) == 6


def test_the_forecast_of_a_week_covers_what_the_days_were() -> None:
    comparison = Comparison()
    for n in range(280):
        at = START + timedelta(days=n % 28)
        comparison.count(opinion(str(n), sent_at=at), opinion(str(n), sent_at=at))
    [row] = comparison.forecast()
    assert row["after_week"]["expected"] == 70.0
    assert row["after_week"]["low"] < 70 < row["after_week"]["high"]
