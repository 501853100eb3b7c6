"""Whether a fix worked: the theme's daily rate before against after, with its interval."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nlp_service.core.themes import statistics
from nlp_service.core.themes.values import FixEffect, Interval

WORTHWHILE = 0.7  # a fix that leaves more than this part of the messages did not do its work
LEAST_BEFORE = 7  # days
LEAST_AFTER = 5
TREND_DAYS = 28  # days before the fix from which the past's own trend is taken into account
UNKNOWN = Interval(value=1.0, low=0.0, high=1e6)  # nothing is ruled out


def fix_effect(counts: npt.ArrayLike, totals: npt.ArrayLike, fixed: int) -> FixEffect:
    """Compare the days before and from day ``fixed`` on: an interrupted series (Bernal, Cummins, Gasparrini 2017).

    Args:
        counts: (days,) counted messages of the theme.
        totals: (days,) all counted feedback: the exposure.
        fixed: index of the first day after the fix.

    Counts are quasi-Poisson around a level, a trend of the past where that is long enough and plainly there, and a
    step at the fix. Worked: the whole interval of the ratio lies below 1 and its middle at most at WORTHWHILE.
    Did not: the whole interval lies above WORTHWHILE. Anything else is not yet known.
    """
    y = np.asarray(counts, dtype=np.float64)
    exposure = np.asarray(totals, dtype=np.float64)
    heard = exposure > 0
    day = np.arange(len(y))
    before, after = int((heard & (day < fixed)).sum()), int((heard & (day >= fixed)).sum())
    if before < LEAST_BEFORE or after < LEAST_AFTER or y[:fixed].sum() < 5:
        because = f"{before} days before, {after} after, {int(y[:fixed].sum())} messages before: too few to tell"
        return _effect("not_yet_known", UNKNOWN, before, after, because)
    ratio = _ratio(y[heard], exposure[heard], day[heard], fixed, before)
    said = f"rate after to before {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
    if ratio.high < 1 and ratio.value <= WORTHWHILE:
        return _effect("worked", ratio, before, after, said)
    if ratio.low > WORTHWHILE:
        return _effect("did_not", ratio, before, after, f"{said}: at most {1 - ratio.low:.0%} less")
    return _effect("not_yet_known", ratio, before, after, said)


def _ratio(
    y: npt.NDArray[np.float64],
    exposure: npt.NDArray[np.float64],
    day: npt.NDArray[np.int64],
    fixed: int,
    before: int,
) -> Interval:
    step = (day >= fixed).astype(np.float64)
    columns = [np.ones(len(y)), step]
    if before >= TREND_DAYS:
        trend = (day - fixed) / 7.0
        past = day < fixed
        fitted = statistics.fit_counts(y[past], np.stack([np.ones(before), trend[past]], axis=1), exposure[past])
        if abs(fitted.coefficients[1]) > 3 * np.sqrt(fitted.covariance[1, 1]):
            # A fall goes on without the fix; a rise is only held at the level that it had reached: cautious both ways.
            columns.append(trend if fitted.coefficients[1] < 0 else np.minimum(trend, 0.0))
    if y[day >= fixed].sum() == 0:  # no message at all: the step has no estimate, its upper end has (rule of three)
        expected = y[day < fixed].sum() / exposure[day < fixed].sum() * exposure[day >= fixed].sum()
        return Interval(value=0.0, low=0.0, high=float(3.0 / expected))
    fit = statistics.fit_counts(y, np.stack(columns, axis=1), exposure)
    log, half = fit.coefficients[1], statistics.Z * np.sqrt(fit.covariance[1, 1])
    return Interval(value=float(np.exp(log)), low=float(np.exp(log - half)), high=float(np.exp(log + half)))


def _effect(verdict: str, ratio: Interval, before: int, after: int, because: str) -> FixEffect:
    return FixEffect(verdict=verdict, ratio=ratio, days_before=before, days_after=after, because=because)
