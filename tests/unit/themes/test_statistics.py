"""The numbers hold at their stated rate, over repeated draws."""

from __future__ import annotations

import numpy as np
import pytest

from nlp_service.core.themes import statistics
from nlp_service.core.themes.changes import decline, onset
from nlp_service.core.themes.fix import fix_effect


def test_shares_are_inside_their_intervals_at_the_stated_rate() -> None:
    random = np.random.default_rng(0)
    for rate in (0.01, 0.15, 0.5):
        drawn = random.binomial(2000, rate, size=400)
        inside = [(s := statistics.share(int(k), 2000)).low <= rate <= s.high for k in drawn]
        assert 0.92 <= np.mean(inside) <= 0.98


def test_a_share_of_nothing_is_unknown() -> None:
    assert statistics.share(0, 0).high == 1.0
    assert statistics.share(0, 50).low == 0.0
    assert statistics.share(50, 50).high == 1.0


def test_corrected_shares_undo_the_classifiers_bias() -> None:
    random = np.random.default_rng(1)
    inside, naive = [], []
    for _ in range(200):
        truth = random.random(5000) < 0.15
        predicted = np.where(truth, random.random(5000) < 0.7, random.random(5000) < 0.02)
        judged = random.choice(5000, 300, replace=False)
        estimate = statistics.corrected_share(predicted, predicted[judged], truth[judged])
        inside.append(estimate.low <= 0.15 <= estimate.high)
        naive.append((s := statistics.share(int(predicted.sum()), 5000)).low <= 0.15 <= s.high)
    assert np.mean(inside) >= 0.9
    assert np.mean(naive) < 0.2


def test_false_discoveries_are_controlled() -> None:
    random = np.random.default_rng(2)
    false = [any(statistics.discoveries(random.random(100).tolist())) for _ in range(300)]
    assert np.mean(false) <= 0.09
    assert statistics.discoveries([1e-6, 0.9, 0.8]) == [True, False, False]
    assert statistics.discoveries([]) == []


def test_odds_of_a_value_that_stands_out() -> None:
    odds, p = statistics.odds_ratio(80, 400, 40, 1600)
    assert odds.low < 9.75 < odds.high
    assert p < 1e-6


@pytest.mark.parametrize("dispersion", [1.0, 3.0])
def test_the_tail_of_counts(dispersion: float) -> None:
    random = np.random.default_rng(3)
    mean = 20.0
    drawn = (
        random.poisson(mean, 20_000)
        if dispersion == 1
        else random.negative_binomial(mean / (dispersion - 1), 1 / dispersion, 20_000)
    )
    assert statistics.tail(30, mean, dispersion * mean) == pytest.approx((drawn >= 30).mean(), abs=0.01)


@pytest.mark.parametrize(("after", "verdict"), [(0.2, "worked"), (0.0, "worked"), (1.0, "did_not")])
def test_a_fix_is_judged(after: float, verdict: str) -> None:
    random = np.random.default_rng(4)
    rates = np.concatenate([np.full(28, 20.0), np.full(21, 20.0 * after)])
    verdicts = [fix_effect(random.poisson(rates), np.full(49, 200), 28).verdict for _ in range(60)]
    opposite = {"worked": "did_not", "did_not": "worked"}[verdict]
    assert np.mean([found == verdict for found in verdicts]) >= 0.9
    assert opposite not in verdicts


def test_a_fix_of_yesterday_is_not_yet_known() -> None:
    assert fix_effect([20] * 30, [200] * 30, 29).verdict == "not_yet_known"


def test_a_fix_is_held_against_the_trend_that_was_there_before() -> None:
    days = np.arange(56)
    rates = 60 * np.exp(-days / 20)  # falling all along: the fix at day 35 added nothing
    assert fix_effect(np.round(rates), np.full(56, 500), 35).verdict != "worked"


def test_changes_are_dated_and_unchanged_series_have_none() -> None:
    random = np.random.default_rng(5)
    totals = np.full(56, 300)
    steps = [onset(random.poisson(np.where(np.arange(56) < 30, 2.0, 8.0)), totals) for _ in range(50)]
    falls = [decline(random.poisson(np.where(np.arange(56) < 30, 8.0, 1.0)), totals) for _ in range(50)]
    flat = [onset(random.poisson(5.0, 56), totals) for _ in range(200)]
    assert np.mean([day is not None and abs(day - 30) <= 3 for day in steps]) >= 0.95
    assert np.mean([day is not None and abs(day - 30) <= 3 for day in falls]) >= 0.95
    assert np.mean([day is not None for day in flat]) <= 0.03
