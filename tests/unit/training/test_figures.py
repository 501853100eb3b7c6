"""Calibration, promises and figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from training.calibrate import best_threshold, binomial_tail, promise
from training.figures import auroc, calibration_error, calibration_floor, macro_f1, micro_f1, per_label, share


def test_auroc_agrees_with_sklearn_with_ties() -> None:
    rng = np.random.default_rng(2)
    inside, outside = np.round(rng.normal(0, 1, 300), 1), np.round(rng.normal(1, 1, 200), 1)
    truth = np.r_[np.zeros(300), np.ones(200)]
    assert auroc(inside, outside) == pytest.approx(roc_auc_score(truth, np.r_[inside, outside]))


def test_f1_agrees_with_sklearn() -> None:
    rng = np.random.default_rng(3)
    truth = rng.choice(list("abc"), 200).tolist()
    said = [t if rng.random() < 0.6 else str(rng.choice(list("abc"))) for t in truth]
    assert macro_f1(per_label(truth, said)) == pytest.approx(f1_score(truth, said, average="macro"), abs=1e-4)
    flags = [{"x"}, {"x", "y"}, set(), {"y"}]
    assert micro_f1(flags, [{"x"}, {"x"}, {"y"}, {"y"}])["value"] == pytest.approx(2 * 3 / 8)


def test_share_has_an_interval_around_it() -> None:
    row = share("x", [True] * 80 + [False] * 20)
    low, high = row["interval"]
    assert low < row["value"] == 0.8 < high


def test_a_perfect_calibration_has_no_error() -> None:
    confidence = np.repeat([0.25, 0.75], 400)
    right = np.r_[np.arange(400) % 4 == 0, np.arange(400) % 4 != 0]
    assert calibration_error(confidence, right) == pytest.approx(0.0, abs=1e-9)


def test_binomial_tail() -> None:
    exact = sum(math.comb(20, k) * 0.1**k * 0.9 ** (20 - k) for k in range(3))
    assert binomial_tail(2, 20, 0.1) == pytest.approx(exact)
    assert binomial_tail(20, 20, 0.1) == pytest.approx(1.0)


def test_the_promise_holds_on_fresh_draws() -> None:
    """Over many calibration sets the accuracy beyond the chosen threshold falls short at most as often as said."""
    rng = np.random.default_rng(4)
    broken = 0
    for _ in range(200):
        confidence = rng.random(600).astype(np.float32)
        right = rng.random(600) < confidence  # accuracy above t is (1 + t) / 2
        chosen = promise(confidence, right, 0.90, 0.1)
        if chosen.coverage and (1 + chosen.threshold) / 2 < 0.90:
            broken += 1
    assert broken / 200 <= 0.13  # 0.1 and three standard errors of 200 draws, less what the test gives away


def test_no_promise_where_none_can_be_kept() -> None:
    chosen = promise(np.linspace(0, 1, 300, dtype=np.float32), np.zeros(300, bool), 0.95)
    assert chosen.coverage == 0.0
    assert chosen.threshold > 1


def test_few_positives_keep_the_middle_threshold() -> None:
    probability = np.linspace(0, 1, 50, dtype=np.float32)
    assert best_threshold(probability, probability > 0.95) == 0.5
    assert best_threshold(probability, probability > 0.65) == pytest.approx(0.65, abs=0.05)


def test_chance_leaves_some_calibration_error_and_less_of_it_on_more_messages() -> None:
    rng = np.random.default_rng(4)
    few, many = calibration_floor(rng.random(300)), calibration_floor(rng.random(30_000))
    assert 0.03 < few < 0.1
    assert many < few / 5
