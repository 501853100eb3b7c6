"""The verdict on a candidate: promote only what is surely better and nowhere surely worse."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.contract.corpus import Record
from nlp_service.contract.robustness import points
from nlp_service.core.trial.limits import default_limits, load_limits
from nlp_service.core.trial.report import html, markdown
from nlp_service.core.trial.values import HOLD, PROMOTE, REJECT, WORSE, Cost, Judged, RobustnessCase, Verdict
from nlp_service.core.trial.verdict import Trial, decide
from nlp_service.errors import InputError, PolicyError

INTENTS = ("refund_request", "delivery_delay", "product_defect", "praise")
LIMITS = replace(default_limits(), resamples=400)
COST = Cost(cpu_seconds=10.0, megabytes=50.0, memory_mb=400.0)


def answer(intent: str, *, sure: float = 0.8, human: bool = False, sentiment: str = "neutral") -> dict[str, Any]:
    return {
        "intent": {"label": intent, "confidence": sure},
        "sentiment": {"label": sentiment, "confidence": 0.9},
        "emotion": {"label": "neutral", "confidence": 0.9},
        "flags": [],
        "priority": {"level": "normal"},
        "needs_human": {"value": human},
    }


def messages(count: int = 400, *, lang: Callable[[int], str] = lambda _: "zh") -> list[Record]:
    return [
        Record(text=f"message {i}", intent=INTENTS[i % 4], sentiment=0, emotion="neutral", flags=(), lang=lang(i))
        for i in range(count)
    ]


def answers(records: Sequence[Record], accuracy: float, seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    return [
        answer(str(record.intent) if draw.random() < accuracy else "smalltalk", sure=accuracy) for record in records
    ]


def judge(
    records: Sequence[Record], before: Sequence[Any], after: Sequence[Any], *, identical: bool = False, **parts: Any
) -> Verdict:
    judged = [Judged(set="frozen", record=r, before=b, after=a) for r, b, a in zip(records, before, after, strict=True)]
    trial = Trial(
        judged=judged,
        robustness=parts.get("robustness", ()),
        before=COST,
        after=parts.get("cost", COST),
        identical=identical,
        target_accuracy=0.9,
    )
    return decide(trial, LIMITS)


def test_a_better_candidate_is_promoted_and_says_why() -> None:
    records = messages()
    verdict = judge(records, answers(records, 0.6, 1), answers(records, 0.85, 2))
    assert verdict.decision == PROMOTE
    assert "intent" in verdict.reasons[0]


def test_a_worse_candidate_is_rejected() -> None:
    records = messages()
    verdict = judge(records, answers(records, 0.85, 1), answers(records, 0.6, 2))
    assert verdict.decision == REJECT
    assert any("head intent" in reason for reason in verdict.reasons)


@settings(max_examples=15, deadline=None)
@given(accuracy=st.floats(0.3, 0.95), seed=st.integers(0, 1000))
def test_a_candidate_that_answers_alike_is_never_promoted(accuracy: float, seed: int) -> None:
    records = messages(120)
    same = answers(records, accuracy, seed)
    assert judge(records, same, same).decision == HOLD
    assert judge(records, same, same, identical=True).decision == REJECT


def test_one_label_lost_is_not_hidden_by_a_better_mean() -> None:
    records = messages(800)
    before = answers(records, 0.7, 1)
    after = [answer("smalltalk" if record.intent == "praise" else str(record.intent), sure=0.75) for record in records]
    verdict = judge(records, before, after)
    assert verdict.decision == REJECT
    assert any("label praise" in reason for reason in verdict.reasons)


def test_one_language_lost_is_not_hidden() -> None:
    records = messages(800, lang=lambda i: "en" if i % 5 == 0 else "zh")
    after = [answer("smalltalk" if record.lang == "en" else str(record.intent), sure=0.8) for record in records]
    verdict = judge(records, answers(records, 0.7, 1), after)
    assert any(check.kind == "language" and check.outcome == WORSE for check in verdict.checks)
    assert verdict.decision == REJECT


def test_overconfidence_is_not_hidden_by_accuracy() -> None:
    records = messages()
    before = [answer(a["intent"]["label"], sure=0.7) for a in answers(records, 0.7, 1)]
    after = [answer(a["intent"]["label"], sure=0.999) for a in answers(records, 0.8, 2)]
    verdict = judge(records, before, after)
    assert any("calibration intent" in reason for reason in verdict.reasons)
    assert verdict.decision == REJECT


def test_a_broken_promise_is_not_hidden_by_accuracy() -> None:
    records = messages()
    draw = random.Random(3)
    before = [answer(str(r.intent) if draw.random() < 0.7 else "smalltalk", sure=0.75, human=True) for r in records]
    after = answers(records, 0.75, 4)  # answers everything at three in four
    verdict = judge(records, before, after)
    assert any("promise" in reason for reason in verdict.reasons)
    assert verdict.decision == REJECT


def test_slower_or_larger_than_the_budget_is_rejected() -> None:
    records = messages()
    cost = replace(COST, megabytes=80.0)
    verdict = judge(records, answers(records, 0.6, 1), answers(records, 0.85, 2), cost=cost)
    assert verdict.decision == REJECT
    assert "MB of files" in verdict.reasons[0]


def test_a_brittle_candidate_is_rejected() -> None:
    records = messages()
    cases = [
        RobustnessCase(
            family="typos",
            expect={"intent": "praise", "same_as": "x"},
            known_failure=False,
            before=answer("praise"),
            after=answer("smalltalk"),
            base_before=answer("praise"),
            base_after=answer("praise"),
        )
        for _ in range(60)
    ]
    verdict = judge(records, answers(records, 0.6, 1), answers(records, 0.85, 2), robustness=cases)
    assert verdict.decision == REJECT
    assert any("robustness" in reason for reason in verdict.reasons)


def test_known_failures_are_not_counted() -> None:
    records = messages()
    case = RobustnessCase(
        family="sarcasm",
        expect={"intent": "praise"},
        known_failure=True,
        before=answer("praise"),
        after=answer("smalltalk"),
    )
    verdict = judge(records, answers(records, 0.6, 1), answers(records, 0.85, 2), robustness=[case] * 60)
    assert verdict.decision == PROMOTE


def test_rare_labels_are_listed_and_not_judged() -> None:
    records = [*messages(), *[Record(text=f"rare {i}", intent="suggestion") for i in range(3)]]
    verdict = judge(records, answers(records, 0.6, 1), answers(records, 0.85, 2))
    assert "label suggestion (3)" in verdict.unjudged


def test_a_case_counts_for_being_right_and_for_not_moving() -> None:
    expect = {"intent": "praise", "same_as": "x", "sentiment_sign": [1], "flags": ["safety_hazard"]}
    found = points(expect, answer("praise", sentiment="positive"), answer("refund_request"))
    assert sorted(found) == [False, False, True, True]


def test_nothing_to_judge_by_is_refused() -> None:
    with pytest.raises(InputError, match="--eval"):
        judge([], [], [])


def test_limits_name_the_line_of_a_fault() -> None:
    with pytest.raises(PolicyError, match=r"line 1: the limits lack 'sure'"):
        load_limits("version: 1\n", where="limits.yaml")


def test_reports_name_both_models_and_escape_texts() -> None:
    records = messages()
    verdict = judge(records, answers(records, 0.6, 1), answers(records, 0.85, 2))
    about = {"candidate": "new<1>", "accepted": "old"}
    assert "promote" in markdown(verdict, about)
    page = html(verdict, about, {"old": [{"confidence": 0.5, "accuracy": 0.4, "n": 10.0}]})
    assert "new&lt;1&gt;" in page
    assert "<svg" in page
    assert "http" not in page
