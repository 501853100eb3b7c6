"""The review queue's order, and which judgements are a random sample."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.core.labelling import FloatArray
from nlp_service.core.review.order import Known, order
from nlp_service.core.review.sample import most_drawn, random_sample
from nlp_service.core.review.values import ReviewEntry
from nlp_service.core.stored import LabelledMessage
from nlp_service.core.themes.space import unit
from nlp_service.testing import START

SIZE = 24


def message(key: str, *, intent: str = "delivery_delay", confidence: float = 0.95, age: int = 1) -> LabelledMessage:
    return LabelledMessage(
        message_id=key,
        occurred_at=START - timedelta(days=age),
        text=f"text {''.join(chr(97 + int(digit, 16)) for digit in hashlib.md5(key.encode()).hexdigest()[:8])}",
        text_hash=hashlib.md5(key.encode()).hexdigest(),
        channel=None,
        customer_id=None,
        customer_tier=None,
        product=None,
        region=None,
        language="zh",
        intent=intent,
        intent_confidence=confidence,
        sentiment="neutral",
        sentiment_score=0.0,
        emotion="neutral",
        flags=(),
        priority="normal",
        department="logistics",
        needs_human=False,
        out_of_scope=0.0,
    )


class World:
    """Messages around two centres, half of each recent."""

    def __init__(self, count: int = 600) -> None:
        random = np.random.default_rng(3)
        centres = unit(random.standard_normal((3, SIZE)))
        self.centres = centres
        self.random = random
        self.messages: list[LabelledMessage] = []
        self.rows: list[FloatArray] = []
        for number in range(count):
            which = number % 2
            self.put(message(f"m{number}", intent=("delivery_delay", "invoice")[which], age=1 + 9 * (number % 4 < 2)),
                     which)  # fmt: skip

    def put(self, said: LabelledMessage, centre: int) -> None:
        self.messages.append(said)
        self.rows.append(unit((self.centres[centre] + 0.15 * self.random.standard_normal(SIZE))[None])[0])

    def order(self, known: Known | None = None, limit: int = 50) -> tuple[ReviewEntry, ...]:
        recent = np.array([said.occurred_at >= START - timedelta(days=7) for said in self.messages])
        rows = np.stack(self.rows).astype(np.float32)
        return order(self.messages, rows, recent=recent, known=known or Known(), limit=limit)


def kinds(entries: Sequence[ReviewEntry], key: str) -> set[str]:
    return {reason.kind for entry in entries if entry.message_id == key for reason in entry.reasons}


def test_what_is_sure_and_like_its_neighbours_need_not_be_seen() -> None:
    assert World().order() == ()


def test_each_reason_is_found_and_said() -> None:
    world = World()
    world.put(message("unsure", confidence=0.2), 0)
    world.put(message("odd", intent="praise"), 0)
    for number in range(40):
        world.put(message(f"wave{number}", intent="invoice", age=0), 2)
    entries = world.order()
    assert kinds(entries, "unsure") == {"low_confidence"}
    assert kinds(entries, "odd") == {"neighbours_differ", "rare_label"}
    assert entries[0].message_id == "odd"  # two reasons weigh more than one
    assert any("drifted_region" in kinds(entries, f"wave{number}") for number in range(40))
    because = next(reason.because for reason in entries[0].reasons if reason.kind == "neighbours_differ")
    assert "delivery_delay" in because


def test_labels_by_people_count_among_the_neighbours_and_take_messages_out() -> None:
    world = World()
    world.put(message("odd", intent="praise"), 0)
    assert kinds(world.order(Known(intents={"odd": "delivery_delay"})), "odd") == set()
    taught = Known(taught={"praise": 50})
    assert kinds(world.order(taught), "odd") == {"neighbours_differ"}  # rare, but people have labelled enough


def test_near_copies_stand_once() -> None:
    world = World()
    world.put(message("first", confidence=0.2), 0)
    world.messages.append(replace(message("copy", confidence=0.21), text_hash="other"))
    world.rows.append(world.rows[-1])
    assert {entry.message_id for entry in world.order()} == {"first"}


def test_disputes_come_first_and_every_fifth_is_drawn() -> None:
    world = World()
    for number in range(30):
        world.put(message(f"unsure{number}", confidence=0.1 + number / 100), 0)
    known = Known(disputed=[("d", "risk")], sample=[(f"s{number}", "risk") for number in range(9)])
    entries = world.order(known, limit=16)
    assert entries[0].reasons[0].kind == "disagreement"
    drawn = [place for place, entry in enumerate(entries) if entry.reasons[0].kind == "sample"]
    assert drawn == [5, 10, 15]
    assert len(entries) == len({entry.message_id for entry in entries}) == 16


@settings(max_examples=20)
@given(st.permutations(range(40)))
def test_the_order_does_not_depend_on_the_order_of_reading(places: list[int]) -> None:
    world = World(0)
    for number in range(40):
        world.put(message(f"k{number}", confidence=0.05 + 0.01 * number), number % 2)
    straight = [entry.message_id for entry in world.order()]
    world.messages = [world.messages[place] for place in places]
    world.rows = [world.rows[place] for place in places]
    assert [entry.message_id for entry in world.order()] == straight


def test_only_what_was_judged_whole_in_random_order_is_a_sample() -> None:
    texts = [f"{number:04}" for number in range(1000)]
    lane, difficult = set(texts[:60]), set(texts[100:1000:9])
    found = random_sample(texts, lane | difficult)
    assert lane <= found
    assert len(found) <= 62  # of what was chosen for its difficulty next to nothing is counted
    assert random_sample(texts, difficult) == frozenset()
    assert random_sample(texts[: most_drawn(len(lane | difficult))], lane | difficult) == found
    assert random_sample(texts, texts[:20]) == frozenset()  # too few


def test_a_sample_measures_what_difficulty_would_distort() -> None:
    """Of 4,000 messages 80% are right; people judge the hard ones, and a random tenth."""
    random = np.random.default_rng(5)
    right = random.random(4000) < 0.8
    texts = [f"{number:05}" for number in random.permutation(4000)]
    hard = [text for text, fine in zip(texts, right, strict=True) if random.random() < (0.02 if fine else 0.5)]
    judged = {*sorted(texts)[:400], *hard}
    sample = random_sample(texts, judged)
    truth = dict(zip(texts, right, strict=True))
    assert abs(np.mean([truth[text] for text in sample]) - 0.8) < 0.06
    assert np.mean([truth[text] for text in judged]) < 0.65
