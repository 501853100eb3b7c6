"""From scores to labels, when to abstain, and the answer as data."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.contract.calibration import Abstention, Calibration
from nlp_service.contract.taxonomy import load_taxonomy
from nlp_service.core.answer import answer
from nlp_service.core.labelling import (
    CustomerTag,
    Labelling,
    Language,
    ModelIdentity,
    PiiSpan,
    Priority,
    Reason,
    Route,
    Scores,
    ThemeMatch,
)
from nlp_service.core.labels import ALTERNATIVES, abstain, calibrate
from tests.conftest import ROOT
from tests.unit.core.facts import CHINESE, labels

TAXONOMY = load_taxonomy(ROOT / "corpora" / "taxonomy.yaml")
ALWAYS = Abstention(threshold=0.0, target_accuracy=0.95, risk_level=0.05, coverage=1.0, accuracy=1.0)
TOLERANCE = 1e-5


def calibration(**given_: Any) -> Calibration:
    fields: dict[str, Any] = {
        "temperatures": {},
        "flag_thresholds": {},
        "scope_threshold": 0.5,
        "abstention": (ALWAYS,),
    }
    return Calibration(**{**fields, **given_})


def scores(n: int = 1, seed: int = 0, **heads: npt.NDArray[Any]) -> Scores:
    random = np.random.default_rng(seed)

    def head(size: int) -> npt.NDArray[np.float32]:
        return (random.normal(size=(n, size)) * 3).astype(np.float32)

    fields: dict[str, Any] = {
        "intent": head(len(TAXONOMY.intents)),
        "sentiment": head(5),
        "emotion": head(len(TAXONOMY.emotions)),
        "flags": head(len(TAXONOMY.flags)),
        "priority": head(3),
        "scope": head(1)[:, 0],
        "embedding": head(8),
        "truncated": np.zeros(n, dtype=np.bool_),
    }
    return Scores(**{**fields, **heads})


def one_hot(size: int, at: int, logit: float = 30.0) -> npt.NDArray[np.float32]:
    row = np.zeros((1, size), dtype=np.float32)
    row[0, at] = logit
    return row


@pytest.mark.parametrize(
    ("at", "label", "score"),
    [
        (0, "very_negative", -1.0),
        (1, "negative", -0.5),
        (2, "neutral", 0.0),
        (3, "positive", 0.5),
        (4, "very_positive", 1.0),
    ],
)
def test_a_sure_sentiment_has_the_score_of_its_step(at: int, label: str, score: float) -> None:
    (result,) = calibrate(scores(sentiment=one_hot(5, at)), calibration(), TAXONOMY)
    assert result.sentiment.label == label
    assert result.sentiment.score == pytest.approx(score, abs=TOLERANCE)


def test_flags_by_their_own_thresholds() -> None:
    logits = np.array([[0.5, 0.5, -9, -9, -9, -9]], dtype=np.float32)
    first, second = TAXONOMY.flags[:2]
    (result,) = calibrate(scores(flags=logits), calibration(flag_thresholds={first: 0.9, second: 0.6}), TAXONOMY)
    assert [flag.label for flag in result.flags] == [second]


def test_a_temperature_moves_confidence_and_not_the_label() -> None:
    given_ = scores(4)
    sharp = calibrate(given_, calibration(), TAXONOMY)
    flat = calibrate(given_, calibration(temperatures={"intent": 5.0}), TAXONOMY)
    assert [item.intent.label for item in sharp] == [item.intent.label for item in flat]
    assert all(a.intent.confidence > b.intent.confidence for a, b in zip(sharp, flat, strict=True))


@given(st.integers(min_value=0, max_value=2**32 - 1), st.integers(min_value=1, max_value=6))
def test_labels_are_ranked_bounded_and_independent_of_the_batch(seed: int, n: int) -> None:
    given_ = scores(n, seed)
    results = calibrate(given_, calibration(), TAXONOMY)
    for row, result in enumerate(results):
        ranked = [result.intent, *result.alternatives]
        assert [item.confidence for item in ranked] == sorted((item.confidence for item in ranked), reverse=True)
        assert len({item.label for item in ranked}) == len(ranked) <= ALTERNATIVES + 1
        assert sum(item.confidence for item in ranked) <= 1 + TOLERANCE
        assert -1 <= result.sentiment.score <= 1
        assert result.intent.label == tuple(TAXONOMY.intents)[int(np.argmax(given_.intent[row]))]
        alone = Scores(**{name: getattr(given_, name)[row : row + 1] for name in given_.__dataclass_fields__})
        assert calibrate(alone, calibration(), TAXONOMY) == [result]


@pytest.mark.parametrize(
    ("confidence", "scope", "language", "words", "reasons"),
    [
        (0.9, 0.1, CHINESE, True, ()),
        (0.7, 0.1, CHINESE, True, ()),
        (0.69, 0.1, CHINESE, True, ("low_confidence",)),
        (0.9, 0.6, CHINESE, True, ("out_of_scope",)),
        (0.9, 0.1, Language(code="it", script="Latn", confidence=1, supported=False), True, ("unsupported_language",)),
        (0.9, 0.1, Language(code="und", script="Zyyy", confidence=0, supported=False), True, ("unclear_language",)),
        (0.1, 0.9, CHINESE, True, ("out_of_scope", "low_confidence")),
        (0.1, 0.9, Language(code="und", script="Zyyy", confidence=0, supported=False), False, ("no_words",)),
    ],
)
def test_abstention(confidence: float, scope: float, language: Language, words: bool, reasons: tuple[str, ...]) -> None:
    said = labels(confidence=confidence, out_of_scope=scope)
    assert abstain(said, language, words=words, threshold=0.7, scope_threshold=0.6) == reasons


def test_the_answer_has_the_fields_of_the_contract() -> None:
    labelling = Labelling(
        message_id="hub-1",
        labels=labels("delivery_delay", sentiment="negative", score=-0.71, emotion="anger", flags=["repeat_contact"]),
        language=CHINESE,
        priority=Priority(
            level="urgent", respond_within_minutes=5, reasons=(Reason(rule="repeat_contact_unsolved", because="flag"),)
        ),
        route=Route(department="logistics", reason="intent delivery_delay"),
        needs_human=("low_confidence",),
        pii=(PiiSpan(kind="mobile", start=12, end=23),),
        masked_text="……",
        truncated=False,
        model=ModelIdentity(name="feedback-multilingual", version="1.0.0"),
        embedding=np.zeros(2, dtype=np.float32),
        customer_tags=(CustomerTag(tag="churn_risk", reasons=("said to leave",)),),
        themes=(ThemeMatch(theme_id="thm_1", title="延误", similarity=0.86123),),
    )
    assert json.loads(json.dumps(answer(labelling, TAXONOMY))) == {
        "id": "hub-1",
        "intent": {
            "label": "delivery_delay",
            "name": "物流慢与催发货",
            "group": "delivery",
            "confidence": 0.9,
            "alternatives": [],
        },
        "sentiment": {"label": "negative", "score": -0.71, "confidence": 0.9},
        "emotion": {"label": "anger", "confidence": 0.9},
        "flags": [{"label": "repeat_contact", "confidence": 0.88}],
        "language": {"code": "zh", "script": "Hans", "confidence": 0.99},
        "priority": {
            "level": "urgent",
            "respond_within_minutes": 5,
            "reasons": [{"rule": "repeat_contact_unsolved", "because": "flag"}],
        },
        "route": {"department": "logistics", "reason": "intent delivery_delay"},
        "needs_human": {"value": True, "reasons": ["low_confidence"]},
        "themes": [{"id": "thm_1", "title": "延误", "similarity": 0.8612}],
        "customer": {"tags": [{"tag": "churn_risk", "reasons": ["said to leave"]}]},
        "pii": [{"kind": "mobile", "start": 12, "end": 23}],
        "masked_text": "……",
        "truncated": False,
        "model": {"name": "feedback-multilingual", "version": "1.0.0"},
    }
