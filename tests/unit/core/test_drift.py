"""Drift: chance is not called drift, a real change is, and the reason names what moved."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.core.drift import (
    ALERT,
    FEW,
    STEADY,
    DriftReport,
    Observed,
    Reference,
    as_data,
    assess,
    mean_shift,
    missing_parts,
    past_reference,
    stability_index,
    training_reference,
    weeks_before,
)
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.stored import Window

WINDOW = Window(start=datetime(2026, 3, 2, tzinfo=UTC), end=datetime(2026, 3, 9, tzinfo=UTC))
SHARES = {"delivery_delay": 0.4, "refund_request": 0.3, "praise": 0.2, "product_defect": 0.1}
MEAN = np.array([0.9, 0.1, 0.0, 0.0], dtype=np.float32)
REFERENCE = Reference(
    source="training",
    messages=2000,
    intents=SHARES,
    languages={"zh": 0.9, "en": 0.1},
    confidence=0.8,
    embedding_mean=MEAN,
)


def observed(
    *,
    messages: int = 1000,
    intents: dict[str, int] | None = None,
    languages: dict[str, int] | None = None,
    confidence: float = 0.8,
    mean: np.ndarray = MEAN,
) -> Observed:
    return Observed(
        window=WINDOW,
        messages=messages,
        intents=intents or {name: round(share * messages) for name, share in SHARES.items()},
        languages=languages or {"zh": round(0.9 * messages), "en": round(0.1 * messages)},
        confidence=confidence,
        deviation=0.2,
        embedding_mean=mean,
        sampled=min(messages, 1000),
    )


def test_a_week_like_the_reference_is_steady() -> None:
    week = assess(observed(), REFERENCE)
    assert week.state == STEADY
    assert {measure.name for measure in week.measures} == {"labels", "languages", "confidence", "embedding"}


@pytest.mark.parametrize(
    ("changed", "measure"),
    [
        ({"intents": {"delivery_delay": 900, "refund_request": 50, "praise": 25, "product_defect": 25}}, "labels"),
        ({"languages": {"zh": 400, "en": 600}}, "languages"),
        ({"confidence": 0.7}, "confidence"),
        ({"mean": np.array([0.7, 0.5, 0.0, 0.0], dtype=np.float32)}, "embedding"),
    ],
)
def test_each_kind_of_change_is_seen_and_alone(changed: dict[str, object], measure: str) -> None:
    week = assess(observed(**changed), REFERENCE)  # type: ignore[arg-type]
    assert [found.name for found in week.measures if found.state == ALERT] == [measure]
    assert week.state == ALERT


def test_the_reason_names_what_moved_most() -> None:
    week = assess(observed(intents={"delivery_delay": 950, "refund_request": 50}), REFERENCE)
    labels = next(measure for measure in week.measures if measure.name == "labels")
    assert "delivery_delay 40.0% to 95.0%" in labels.because


def test_few_messages_say_nothing() -> None:
    week = assess(observed(messages=50, intents={"praise": 50}), REFERENCE)
    assert (week.state, week.measures) == (FEW, ())


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(200, 2000))
def test_chance_alone_raises_no_alert(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    drawn = Counter(random.choice(list(SHARES), size=size, p=list(SHARES.values())).tolist())
    assert stability_index(drawn, SHARES, 2000) < 0.1
    vectors = random.standard_normal((size, 16)).astype(np.float32) + 1.0
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    half = size // 2
    assert mean_shift(vectors[:half].mean(0), half, vectors[half:].mean(0), size - half) < 0.05


def test_a_new_label_does_not_break_the_index() -> None:
    assert stability_index({"new_intent": 1000}, SHARES, 2000) > 1


def test_past_weeks_are_a_reference_too() -> None:
    reference = past_reference([observed(), observed(messages=3000)])
    assert reference.messages == 4000
    assert assess(observed(), reference).state == STEADY
    assert past_reference([]).messages == 0
    assert assess(observed(), past_reference([])).state == FEW


def test_an_older_bundle_says_which_measure_is_missing() -> None:
    reference = training_reference({"intent_shares": SHARES, "mean_confidence": 0.8, "messages": 10})
    assert missing_parts(reference) == ("languages", "embedding")
    assert missing_parts(training_reference({})) == ("labels", "languages", "confidence", "embedding")


def test_weeks_begin_on_mondays_and_the_last_holds_now() -> None:
    now = datetime(2026, 3, 11, 15, tzinfo=UTC)
    windows = weeks_before(now, 3)
    assert [window.start.weekday() for window in windows] == [0, 0, 0]
    assert windows[-1].start <= now < windows[-1].end
    assert windows[1].start - windows[0].start == timedelta(days=7)


def test_the_report_is_as_new_as_its_newest_week_that_can_be_judged() -> None:
    weeks = (assess(observed(confidence=0.7), REFERENCE), assess(observed(messages=10), REFERENCE))
    report = DriftReport(model=ModelIdentity(name="m", version="1"), reference=REFERENCE, weeks=weeks, missing=())
    assert report.state == ALERT
    assert as_data(report)["weeks"][0]["start"] == "2026-03-02T00:00:00+00:00"
