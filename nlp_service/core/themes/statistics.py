"""The few statistical methods that the themes' numbers rest on; each names its source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts are imported when first used

from nlp_service.core.themes.values import Interval

Floats = npt.NDArray[np.float64]
Z = 1.959963984540054  # of a two-sided 95% interval
_ROUNDS = 50


def share(count: float, total: float) -> Interval:
    """Return count / total with its Jeffreys interval (Brown, Cai and DasGupta 2001)."""
    if total <= 0:
        return Interval(value=0.0, low=0.0, high=1.0)
    low = 0.0 if count <= 0 else float(scipy.special.betaincinv(count + 0.5, total - count + 0.5, 0.025))
    high = 1.0 if count >= total else float(scipy.special.betaincinv(count + 0.5, total - count + 0.5, 0.975))
    value = count / total
    return Interval(value=value, low=min(low, value), high=max(high, value))


def corrected_share(predicted: npt.ArrayLike, judged: npt.ArrayLike, truth: npt.ArrayLike) -> Interval:
    """Return a share corrected for the classifier's error: prediction-powered inference, PPI++ (Angelopoulos 2023).

    Args:
        predicted: (N,) 0 or 1, what the classifier says of every message.
        judged: (n,) what it says of the messages that people judged; these are a random sample.
        truth: (n,) what people said of the same.
    """
    everything = np.asarray(predicted, dtype=np.float64)
    guess = np.asarray(judged, dtype=np.float64)
    real = np.asarray(truth, dtype=np.float64)
    n, total = len(real), len(everything)
    if n < 2 or total < 2:
        raise ValueError(f"a corrected share needs two judged messages and two in all, got {n} and {total}")
    spread = float(guess.var(ddof=1))
    # The weight of the predictions that makes the variance least; 0 leaves the judged messages alone to speak.
    weight = float(np.cov(real, guess)[0, 1]) / (spread * (1 + n / total)) if spread > 0 else 0.0
    weight = min(max(weight, 0.0), 1.0)
    value = float(weight * everything.mean() + (real - weight * guess).mean())
    variance = weight**2 * everything.var(ddof=1) / total + (real - weight * guess).var(ddof=1) / n
    half = Z * float(np.sqrt(variance + 1e-12))
    value = min(max(value, 0.0), 1.0)
    return Interval(value=value, low=max(value - half, 0.0), high=min(value + half, 1.0))


def discoveries(p: Sequence[float], rate: float = 0.05) -> list[bool]:
    """Tell which of the tests survive at a false discovery rate (Benjamini and Hochberg 1995)."""
    if not p:
        return []
    values = np.asarray(p)
    order = np.argsort(values)
    passed = np.flatnonzero(values[order] <= rate * np.arange(1, len(values) + 1) / len(values))
    found = np.zeros(len(values), dtype=np.bool_)
    if len(passed):
        found[order[: passed[-1] + 1]] = True
    return found.tolist()


def odds_ratio(inside: int, inside_all: int, outside: int, outside_all: int) -> tuple[Interval, float]:
    """Return the odds ratio of ``inside`` of ``inside_all`` against ``outside`` of ``outside_all``, and a one-sided p.

    The interval is Wald's on the logarithm with half a message added to each cell (Haldane 1956, Anscombe 1956); p is
    Fisher's exact.
    """
    cells = np.array([[inside, inside_all - inside], [outside, outside_all - outside]], dtype=np.float64)
    p = _hypergeometric_tail(inside, inside_all + outside_all, inside + outside, inside_all)
    corrected = cells + 0.5
    log = float(np.log(corrected[0, 0] * corrected[1, 1] / (corrected[0, 1] * corrected[1, 0])))
    half = Z * float(np.sqrt((1 / corrected).sum()))
    return Interval(value=float(np.exp(log)), low=float(np.exp(log - half)), high=float(np.exp(log + half))), p


@dataclass(frozen=True, kw_only=True)
class CountFit:
    """A log-linear model of counts."""

    coefficients: Floats
    covariance: Floats  # already multiplied by the dispersion
    dispersion: float  # variance over mean, at least 1


def fit_counts(counts: npt.ArrayLike, design: Floats, exposure: npt.ArrayLike) -> CountFit:
    """Fit counts by quasi-Poisson regression with log link (Wedderburn 1974), by weighted least squares.

    Args:
        counts: (n,) events.
        design: (n, k) columns, the first of them ones.
        exposure: (n,) positive, what a rate is measured against.
    """
    y = np.asarray(counts, dtype=np.float64)
    offset = np.log(np.maximum(np.asarray(exposure, dtype=np.float64), 1e-9))
    k = design.shape[1]
    beta = np.zeros(k)
    beta[0] = np.log((y.sum() + 0.5) / np.exp(offset).sum())
    ridge = 1e-6 * np.eye(k)
    for _ in range(_ROUNDS):
        mean = np.exp(np.clip(design @ beta + offset, -30, 30))
        working = design @ beta + (y - mean) / np.maximum(mean, 1e-9)
        weighted = design.T * mean
        updated = np.linalg.solve(weighted @ design + ridge, weighted @ working)
        updated = beta + np.clip(updated - beta, -3, 3)
        if np.abs(updated - beta).max() < 1e-8:
            beta = updated
            break
        beta = updated
    mean = np.exp(np.clip(design @ beta + offset, -30, 30))
    pearson = float(((y - mean) ** 2 / np.maximum(mean, 1e-9)).sum())
    dispersion = max(1.0, pearson / max(len(y) - k, 1))
    covariance = dispersion * np.linalg.inv((design.T * mean) @ design + ridge)
    return CountFit(coefficients=beta, covariance=covariance, dispersion=dispersion)


def tail(count: int, mean: float, variance: float) -> float:
    """Return P(X >= count) of a negative binomial with this mean and variance; Poisson where it does not exceed it."""
    if count <= 0:
        return 1.0
    if mean <= 0:
        return 0.0
    if variance <= mean * (1 + 1e-9):
        return float(scipy.special.gammainc(count, mean))
    probability = mean / variance
    return float(scipy.special.betainc(count, mean * probability / (1 - probability), 1 - probability))


def _hypergeometric_tail(least: int, population: int, marked: int, drawn: int) -> float:
    """Return P(X >= least) of the marked among the drawn; scipy.stats costs a second of every start, so not by it."""
    found = np.arange(max(least, drawn + marked - population, 0), min(marked, drawn) + 1)
    log = _log_choose(marked, found) + _log_choose(population - marked, drawn - found)
    return float(min(np.exp(log - _log_choose(population, drawn)).sum(), 1.0))


def _log_choose(n: npt.ArrayLike, k: npt.ArrayLike) -> npt.NDArray[np.float64]:
    n, k = np.asarray(n, dtype=np.float64), np.asarray(k, dtype=np.float64)
    return np.asarray(scipy.special.gammaln(n + 1) - scipy.special.gammaln(k + 1) - scipy.special.gammaln(n - k + 1))
