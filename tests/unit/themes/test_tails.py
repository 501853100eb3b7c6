"""Our tail probabilities are scipy.stats' own; that module itself costs a second of every start."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from nlp_service.core.themes.statistics import odds_ratio, share, tail


@given(st.integers(1, 300), st.floats(0.1, 200), st.floats(1.01, 20))
def test_negative_binomial(count: int, mean: float, overdispersion: float) -> None:
    p = 1 / overdispersion
    expected = stats.nbinom.sf(count - 1, mean * p / (1 - p), p)
    assert tail(count, mean, mean * overdispersion) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.integers(1, 300), st.floats(0.1, 200))
def test_poisson(count: int, mean: float) -> None:
    assert tail(count, mean, mean) == pytest.approx(stats.poisson.sf(count - 1, mean), rel=1e-6, abs=1e-12)


@given(st.integers(0, 60), st.integers(0, 60), st.integers(0, 60), st.integers(0, 60))
def test_fisher(inside: int, more: int, outside: int, rest: int) -> None:
    _, p = odds_ratio(inside, inside + more, outside, outside + rest)
    everything = inside + more + outside + rest
    assume(everything)
    expected = stats.hypergeom.sf(inside - 1, everything, inside + outside, inside + more)
    assert p == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(st.integers(0, 500), st.integers(1, 500))
def test_jeffreys(count: int, more: int) -> None:
    found = share(count, count + more)
    if count:
        assert found.low == pytest.approx(stats.beta.ppf(0.025, count + 0.5, more + 0.5), rel=1e-6)
    assert found.high == pytest.approx(stats.beta.ppf(0.975, count + 0.5, more + 0.5), rel=1e-6)
