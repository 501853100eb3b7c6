"""Numbers of themes that hold: share with interval, customers, growth against a theme's own past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from nlp_service.core.stored import Window
from nlp_service.core.themes import statistics
from nlp_service.core.themes.changes import onset
from nlp_service.core.themes.feedback import Bools, Feedback, copies, counting, customers, floods
from nlp_service.core.themes.neighbours import IntArray
from nlp_service.core.themes.splits import find_splits
from nlp_service.core.themes.values import Growth, Interval, Measure

LEAST_HISTORY = 14  # days of feedback before the window from which growth can be told
LEAST_AFTER_FIX = 5
LEAST_MESSAGES = 5  # counted messages in the window from which growth is tested
LEAST_RATIO = 1.25  # a rise smaller than a quarter is not worth a message to anybody
_SAME_PRODUCT = 0.5


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What people said of messages' themes: a random sample of the feedback."""

    rows: IntArray  # (n,) rows of the feedback
    themes: IntArray  # (n,) the right theme of each, -1 for none


def measure(
    feedback: Feedback,
    themes: IntArray,
    n_themes: int,
    window: Window,
    *,
    judged: Judged | None = None,
    since: Mapping[int, datetime] | None = None,
) -> list[Measure]:
    """Measure every theme in a window; feedback before it is the past that growth is tested against.

    Args:
        feedback: the window's messages and as much of the past as is known.
        themes: (n,) theme of each message, -1 for none.
        n_themes: how many themes there are.
        window: the span that is reported.
        judged: human corrections, where there are any.
        since: by theme, when its past begins: a fixed theme is held against the days after the fix.
    """
    since = since or {}
    counted = counting(feedback, themes)
    copied = copies(feedback)
    inside = feedback.inside(window.start, window.end)
    total = int((counted & inside).sum())
    history = daily(feedback, themes, n_themes, counted, window)
    splits = find_splits(feedback, themes, n_themes, counted & inside)
    measures = []
    for index in range(n_themes):
        rows = np.flatnonzero((themes == index) & inside)
        own = rows[counted[rows]]
        product, product_share = _product(feedback, own, counted & inside)
        measures.append(
            Measure(
                window=window,
                messages=len(rows),
                counted=len(own),
                customers=customers(feedback, own),
                share=statistics.share(len(own), total),
                product=product,
                product_share=product_share,
                corrected_share=_corrected(themes, counted & inside, judged, index),
                sentiment=float(np.mean([feedback.messages[row].sentiment_score for row in own])) if len(own) else 0.0,
                priorities=Counter(feedback.messages[row].priority for row in own),
                growth=_growth(history, index, since.get(index)),
                onset=_onset(history, index),
                splits=splits[index],
                floods=floods(feedback, rows, copied),
                daily=tuple(history.counts[index, history.first_window_day :].tolist()),
            )
        )
    return control_false_rises(measures)


def control_false_rises(measures: Sequence[Measure], rate: float = 0.05) -> list[Measure]:
    """Mark as rising what survives the false discovery rate across all themes tested, and is large enough to matter."""
    tested = [i for i, entry in enumerate(measures) if entry.growth is not None]
    p = [growth.p for i in tested if (growth := measures[i].growth) is not None]
    marked = list(measures)
    for index, found in zip(tested, statistics.discoveries(p, rate), strict=True):
        growth = measures[index].growth
        if growth is not None:
            rising = found and growth.ratio.value >= LEAST_RATIO
            marked[index] = replace(measures[index], growth=replace(growth, rising=rising))
    return marked


@dataclass(frozen=True, kw_only=True)
class Days:
    """Counted messages by day; the last days are the window."""

    counts: IntArray  # (themes, days) counted messages
    totals: IntArray  # (days,) all counted feedback
    first_window_day: int
    origin: datetime

    def day(self, at: datetime) -> int:
        """Index of the day that holds ``at``; negative before the first."""
        return int((at - self.origin) // timedelta(days=1))


def daily(feedback: Feedback, themes: IntArray, n_themes: int, counted: Bools, window: Window) -> Days:
    """Count by whole days that end with the window."""
    length = max(1, int(np.ceil((window.end - window.start) / timedelta(days=1))))
    first = feedback.at[0] if len(feedback) else window.start.timestamp()
    past = max(0, int((window.end.timestamp() - first) // 86_400) - length)
    origin = window.end - timedelta(days=length + past)
    days = feedback.days(origin)
    kept = counted & (days >= 0) & (days < length + past)
    totals = np.bincount(days[kept], minlength=length + past)
    of_theme = kept & (themes >= 0)
    flat = themes[of_theme] * (length + past) + days[of_theme]
    counts = np.bincount(flat, minlength=n_themes * (length + past)).reshape(n_themes, length + past)
    return Days(counts=counts, totals=totals, first_window_day=past, origin=origin)


def _growth(days: Days, index: int, since: datetime | None) -> Growth | None:
    """Test the window's count against the rate of the days before; the variance is that of the past's own days.

    The dispersion is shrunk towards that of all themes together, since a few weeks of one theme say little of it.
    """
    split = days.first_window_day
    now = int(days.counts[index, split:].sum())
    exposure = float(days.totals[split:].sum())
    start = 0 if since is None else min(max(days.day(since) + 1, 0), split)
    past, past_exposure = days.counts[index, start:split], days.totals[start:split].astype(np.float64)
    if (
        split - start < (LEAST_HISTORY if since is None else LEAST_AFTER_FIX)
        or now < LEAST_MESSAGES
        or past_exposure.sum() <= 0
        or exposure <= 0
    ):
        return None
    rate = (past.sum() + 0.5) / past_exposure.sum()
    dispersion = (_dispersion(past, past_exposure) * len(past) + _common_dispersion(days) * 28) / (len(past) + 28)
    expected = rate * exposure
    variance = dispersion * expected * (1 + exposure / past_exposure.sum())
    p = statistics.tail(now, expected, variance)
    relative = np.sqrt(dispersion * (1 / max(now, 1) + 1 / (past.sum() + 0.5)))
    ratio = now / expected
    spread = float(np.exp(statistics.Z * relative))
    return Growth(
        messages=now,
        expected=float(expected),
        ratio=Interval(value=float(ratio), low=float(ratio / spread), high=float(ratio * spread)),
        p=p,
        rising=False,
    )


def _dispersion(counts: npt.NDArray[np.int64], exposure: npt.NDArray[np.float64]) -> float:
    """Pearson's variance over mean around a constant rate, at least 1; days without feedback say nothing."""
    heard = exposure > 0
    if heard.sum() < 3 or counts.sum() == 0:
        return 1.0
    mean = counts.sum() / exposure.sum() * exposure[heard]
    return max(1.0, float(((counts[heard] - mean) ** 2 / mean).sum() / (heard.sum() - 1)))


def _common_dispersion(days: Days) -> float:
    """Median dispersion of the themes that were heard often enough before the window."""
    past = days.counts[:, : days.first_window_day]
    often = past[past.sum(axis=1) >= 20]
    if len(often) == 0:
        return 1.5
    exposure = days.totals[: days.first_window_day].astype(np.float64)
    return float(np.median([_dispersion(row, exposure) for row in often]))


def _onset(days: Days, index: int) -> datetime | None:
    day = onset(days.counts[index], days.totals)
    return None if day is None else (days.origin + timedelta(days=day)).astimezone(UTC)


def _product(feedback: Feedback, own: IntArray, counted: Bools) -> tuple[str | None, Interval | None]:
    """Return the product that most of a theme's messages name, and the theme's share of that product's feedback."""
    named = Counter(product for row in own if (product := feedback.messages[row].product))
    if not named:
        return None, None
    product, n = named.most_common(1)[0]
    if n < _SAME_PRODUCT * len(own):
        return None, None
    of_product = sum(feedback.messages[row].product == product for row in np.flatnonzero(counted).tolist())
    return product, statistics.share(n, of_product)


def _corrected(themes: IntArray, counted: Bools, judged: Judged | None, index: int) -> Interval | None:
    if judged is None:
        return None
    usable = counted[judged.rows]
    rows, truth = judged.rows[usable], judged.themes[usable]
    if len(rows) < 30:
        return None
    return statistics.corrected_share(themes[counted] == index, themes[rows] == index, truth == index)
