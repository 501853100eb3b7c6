"""Where a theme stands out: a product, region, channel, tier or hours of the week with more of it than elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo

import numpy as np
import numpy.typing as npt
import scipy  # its parts are imported when first used

from nlp_service.core.themes import statistics
from nlp_service.core.themes.feedback import Bools, Feedback
from nlp_service.core.themes.neighbours import IntArray
from nlp_service.core.themes.values import Interval, Split

DIMENSIONS = {"product": "product", "region": "region", "channel": "channel", "tier": "customer_tier"}
LEAST_MESSAGES = 8  # of the theme with the value
LEAST_ODDS = 1.5  # lower end of the interval; less is not worth saying
LONGEST_HOURS = 6
LOCAL = timezone(timedelta(hours=8))  # hours of the week are said in the time of the customers
_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_SHOWN = 5


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    theme: int
    split: Split


def find_splits(
    feedback: Feedback, themes: IntArray, n_themes: int, counted: Bools, *, zone: tzinfo = LOCAL
) -> list[tuple[Split, ...]]:
    """Return each theme's splits that survive the false discovery rate across all of them, strongest first.

    A value is compared with all other values by the odds of the theme among counted feedback. Hours are scanned:
    every span of up to LONGEST_HOURS hours of the week, the best one reported, its p multiplied by the number of spans.
    """
    rows = np.flatnonzero(counted)
    of = themes[rows]
    candidates: list[_Candidate] = []
    for dimension, attribute in DIMENSIONS.items():
        values = [getattr(feedback.messages[row], attribute) for row in rows.tolist()]
        candidates += _by_value(dimension, values, of, n_themes)
    hours = np.array([_hour_of_week(feedback.at[row], zone) for row in rows], dtype=np.int64)
    candidates += _by_hour(hours, of, n_themes)
    kept = statistics.discoveries([candidate.split.p for candidate in candidates])
    found: list[list[Split]] = [[] for _ in range(n_themes)]
    for candidate, passed in zip(candidates, kept, strict=True):
        if passed and candidate.split.odds.low >= LEAST_ODDS:
            found[candidate.theme].append(candidate.split)
    return [tuple(sorted(entry, key=lambda split: (split.p, -split.odds.value))[:_SHOWN]) for entry in found]


def _by_value(dimension: str, values: Sequence[str | None], themes: IntArray, n_themes: int) -> list[_Candidate]:
    known = np.array([value is not None for value in values], dtype=np.bool_)
    if not known.any():
        return []
    names, codes = np.unique([value for value in values if value is not None], return_inverse=True)
    if len(names) < 2:
        return []
    of = themes[known]
    table = np.zeros((n_themes, len(names)), dtype=np.int64)
    heard = of >= 0
    np.add.at(table, (of[heard], codes[heard]), 1)
    totals = np.bincount(codes, minlength=len(names))
    found = []
    for theme, value in zip(*np.nonzero(table >= LEAST_MESSAGES), strict=True):
        inside, inside_all = int(table[theme, value]), int(totals[value])
        outside = int(table[theme].sum()) - inside
        odds, p = statistics.odds_ratio(inside, inside_all, outside, int(totals.sum()) - inside_all)
        split = Split(dimension=dimension, value=str(names[value]), messages=inside, odds=odds, p=p)
        found.append(_Candidate(theme=int(theme), split=split))
    return found


def _by_hour(hours: IntArray, themes: IntArray, n_themes: int) -> list[_Candidate]:
    totals = np.bincount(hours, minlength=168).astype(np.float64)
    found = []
    for theme in range(n_themes):
        counts = np.bincount(hours[themes == theme], minlength=168).astype(np.float64)
        if counts.sum() >= LEAST_MESSAGES:
            split = _best_span(counts, totals)
            if split is not None:
                found.append(_Candidate(theme=theme, split=split))
    return found


def _best_span(counts: npt.NDArray[np.float64], totals: npt.NDArray[np.float64]) -> Split | None:
    """Scan statistic over spans of the week (Kulldorff 1997): the span with the least p of a binomial test."""
    whole, feedback = counts.sum(), totals.sum()
    best: tuple[float, int, int, float, float] | None = None
    for length in range(1, LONGEST_HOURS + 1):
        ring = np.arange(168)[:, None] + np.arange(length)
        inside, exposure = counts[ring % 168].sum(axis=1), totals[ring % 168].sum(axis=1)
        p = scipy.special.betainc(np.maximum(inside, 1), whole - inside + 1, np.minimum(exposure / feedback, 1.0))
        p = np.where(inside >= LEAST_MESSAGES, p, 1.0)
        start = int(p.argmin())
        if best is None or p[start] < best[0]:
            best = (float(p[start]), start, length, float(inside[start]), float(exposure[start]))
    if best is None or best[3] < LEAST_MESSAGES:
        return None
    p_value, start, length, inside_, exposure_ = best
    odds, _ = statistics.odds_ratio(
        int(inside_), int(exposure_), int(whole - inside_), int(max(feedback - exposure_, whole - inside_))
    )
    corrected = min(1.0, p_value * 168 * LONGEST_HOURS)
    return Split(dimension="hour_of_week", value=_span(start, length), messages=int(inside_), odds=odds, p=corrected)


def _hour_of_week(at: float, zone: tzinfo) -> int:
    local = datetime.fromtimestamp(at, UTC).astimezone(zone)
    return local.weekday() * 24 + local.hour


def _span(start: int, length: int) -> str:
    day, hour = divmod(start, 24)
    return f"{_WEEKDAYS[day]} {hour:02d}:00-{(hour + length) % 24 or 24:02d}:00"


def sentence(split: Split) -> str:
    """Say a split in words: region 华南: odds 4.2 (3.1 to 5.7)."""
    odds: Interval = split.odds
    return f"{split.dimension} {split.value}: odds {odds.value:.1f} ({odds.low:.1f} to {odds.high:.1f})"
