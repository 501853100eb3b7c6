"""When a theme began to be heard of more, or less: the change point of a series of daily counts."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

LEAST_DAYS = 3  # on either side of a change
_EVIDENCE = 6.0  # log-likelihood over no change; about one false change in 200 unchanged series of eight weeks


def onset(counts: npt.ArrayLike, totals: npt.ArrayLike) -> int | None:
    """Return the day of the strongest rise, None where the rate did not rise."""
    return change_point(counts, totals, direction="rise")


def decline(counts: npt.ArrayLike, totals: npt.ArrayLike) -> int | None:
    """Return the day of the strongest fall, None where the rate did not fall."""
    return change_point(counts, totals, direction="fall")


def change_point(counts: npt.ArrayLike, totals: npt.ArrayLike, *, direction: Literal["rise", "fall"]) -> int | None:
    """Return the first day of the new rate under the best model of two rates.

    Args:
        counts: (days,) messages of the theme.
        totals: (days,) all feedback: the exposure.
        direction: which kind of change is asked for.

    Poisson likelihood ratio over all days of change, divided by the dispersion within the two pieces.
    """
    y = np.asarray(counts, dtype=np.float64)
    exposure = np.maximum(np.asarray(totals, dtype=np.float64), 1e-9)
    n = len(y)
    if n < 2 * LEAST_DAYS or y.sum() < 5:
        return None
    days = np.arange(LEAST_DAYS, n - LEAST_DAYS + 1)
    before, after = y.cumsum()[days - 1], y.sum() - y.cumsum()[days - 1]
    past, rest = exposure.cumsum()[days - 1], exposure.sum() - exposure.cumsum()[days - 1]
    gain = _likelihood(before, past) + _likelihood(after, rest) - _likelihood(y.sum(), exposure.sum())
    wanted = after / rest > before / past if direction == "rise" else after / rest < before / past
    gain = np.where(wanted, gain, 0.0)
    best = int(gain.argmax())
    day = int(days[best])
    mean = np.where(np.arange(n) < day, before[best] / past[best], after[best] / rest[best]) * exposure
    dispersion = max(1.0, float(((y - mean) ** 2 / np.maximum(mean, 0.05)).sum() / max(n - 2, 1)))
    return day if gain[best] / dispersion >= _EVIDENCE else None


def _likelihood(count: npt.ArrayLike, exposure: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Poisson log-likelihood at the best rate, without the terms that do not depend on it."""
    count, exposure = np.asarray(count, dtype=np.float64), np.asarray(exposure, dtype=np.float64)
    return np.asarray(count * np.log(np.maximum(count, 1e-9) / exposure), dtype=np.float64)
