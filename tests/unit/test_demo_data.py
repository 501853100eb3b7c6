"""The shipped demo: what its card says of it, and how planted matters are looked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from nlp_service.bootstrap.demo import demo_folder, read_demo, read_story
from nlp_service.core.story import Matter, place

FOLDER = Path(__file__).resolve().parents[2] / "corpora" / "demo"


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / "messages.jsonl").read_text(encoding="utf-8").splitlines()]


def test_the_files_are_what_their_program_gives() -> None:
    subprocess.run([sys.executable, str(FOLDER / "make.py"), "--check"], check=True, capture_output=True)


def test_size_and_span() -> None:
    messages = rows()
    assert len(messages) >= 3000
    assert sum(path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()) < 5_000_000
    times = [datetime.fromisoformat(row["sent_at"]) for row in messages]
    assert timedelta(days=54) < max(times) - min(times) < timedelta(days=56)
    for field in ("channel", "customer_id", "region"):
        assert all(row[field] for row in messages)
    assert len({row["product"] for row in messages if "product" in row}) == 7


def test_few_texts_repeat_but_small_talk() -> None:
    told = Counter(row["text"] for row in rows() if len(row["text"]) > 8)
    repeated = sum(n - 1 for n in told.values())
    assert repeated < 0.15 * sum(told.values())


def test_what_is_planted() -> None:
    story = read_story(FOLDER)
    by_id = {message.id: message for message in read_demo(demo_folder())}
    planted = {matter.name: [by_id[key] for key in matter.messages] for matter in story.matters}
    talk = sum(len(message.text) <= 4 for message in by_id.values())
    assert 0.12 < len(planted["manual"]) / (len(by_id) - talk) < 0.2
    assert len({message.text for message in planted["manual"]}) > 300
    southwest = [message for message in by_id.values() if message.region == "西南"]
    slow = {message.id for message in planted["courier"]}
    there = sum(message.id in slow for message in southwest) / len(southwest)
    elsewhere = (len(slow) - sum(message.id in slow for message in southwest)) / (len(by_id) - len(southwest))
    assert there > 5 * elsewhere
    fifth_week = story.start + timedelta(days=28)
    assert all(message.sent_at and message.sent_at >= fifth_week for message in planted["batch"])
    fixed = story.start + timedelta(days=story.fixed_day)
    after = sum(message.sent_at is not None and message.sent_at >= fixed for message in planted["pairing"])
    assert after < 0.15 * len(planted["pairing"])


def test_the_story_ends_now() -> None:
    story = read_story(FOLDER)
    now = datetime(2027, 1, 5, 3, tzinfo=UTC)
    end = story.start + timedelta(days=story.days) + story.shift(now)
    assert timedelta(0) <= now - end < timedelta(days=1)


def test_a_matter_is_where_most_of_a_theme_is_its_own() -> None:
    matter = Matter(name="m", told={}, messages=frozenset({"1", "2", "3", "4"}))
    members = {"1": "a", "2": "a", "8": "a", "3": "b", "5": "b", "6": "b"}
    placed = place(matter, members, ["1", "2", "3", "4", "5", "6", "8"])
    assert placed.themes == ("a",)
    assert (placed.planted, placed.inside, placed.strangers) == (4, 2, 1)
    assert placed.found == 0.5
