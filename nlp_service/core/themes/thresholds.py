"""From which likeness a message belongs to a theme: a threshold of its own for each."""

from __future__ import annotations

import numpy as np

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import IntArray, closest

_STRANGERS = 20_000  # messages of other themes that a threshold is calibrated against
_QUANTILES = np.linspace(0.0, 0.5, 26)


def chance_level(placed: FloatArray, labels: IntArray, centroids: FloatArray, share: float) -> float:
    """Return the cosine that ``share`` of unrelated messages stay below, over pairs of message and foreign theme."""
    if len(centroids) < 2:
        return 0.0
    step = max(1, len(placed) // 2000)
    rows = np.arange(0, len(placed), step)
    themes = np.arange(0, len(centroids), max(1, len(centroids) // 500))
    cosines = placed[rows] @ centroids[themes].T
    foreign = labels[rows][:, None] != themes[None, :]
    return float(np.quantile(cosines[foreign], share)) if foreign.any() else 0.0


def calibrate_thresholds(placed: FloatArray, labels: IntArray, centroids: FloatArray, floor: float) -> FloatArray:
    """Return per theme the cosine that best parts its members from other messages for which it is the nearest theme.

    The candidates are the lower half of the members' own cosines; the best F1 wins, the lower one among equals. No
    threshold is below ``floor``, the level of chance.
    """
    member = np.flatnonzero(labels >= 0)
    own = np.einsum("ij,ij->i", placed[member], centroids[labels[member]])
    step = max(1, len(placed) // _STRANGERS)
    rows = np.arange(0, len(placed), step)
    nearest_theme, cosine = closest(placed[rows], centroids)
    strangers = labels[rows] != nearest_theme
    nearest_theme, cosine = nearest_theme[strangers], cosine[strangers]
    by_theme = _split(labels[member], own, len(centroids))
    strange = _split(nearest_theme, cosine, len(centroids))
    thresholds = [
        _best(mine, theirs, step) if len(mine) else 1.0 for mine, theirs in zip(by_theme, strange, strict=True)
    ]
    return np.maximum(np.asarray(thresholds, dtype=np.float32), np.float32(floor))


def outer_fences(labels: IntArray, own: FloatArray, themes: int, *, width: float = 3.0) -> FloatArray:
    """Return per theme the cosine ``width`` robust deviations below its median member: below it are strangers.

    Args:
        labels: (m,) theme of each member.
        own: (m,) cosine of each member to its theme's centroid.
        themes: number of themes.
        width: deviations; the deviation is 1.4826 times the median distance from the median.
    """
    fences = np.full(themes, -1.0, dtype=np.float32)
    for index, mine in enumerate(_split(labels, own, themes)):
        if len(mine):
            middle = np.median(mine)
            fences[index] = middle - width * 1.4826 * max(float(np.median(np.abs(mine - middle))), 0.03)
    return fences


def _split(keys: IntArray, values: FloatArray, n: int) -> list[FloatArray]:
    order = np.argsort(keys, kind="stable")
    return np.split(values[order], np.searchsorted(keys[order], np.arange(1, n)))


def _best(mine: FloatArray, theirs: FloatArray, step: int) -> float:
    candidates = np.quantile(mine, _QUANTILES)
    hits = (mine[None, :] >= candidates[:, None]).sum(axis=1)
    false = step * (theirs[None, :] >= candidates[:, None]).sum(axis=1) if len(theirs) else np.zeros(len(candidates))
    f1 = 2 * hits / (hits + false + len(mine))
    return float(candidates[int(np.argmax(f1))])
