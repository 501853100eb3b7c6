"""Quality figures from answers and truths: pure functions, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
RESAMPLES = 1000
Row = dict[str, Any]


def figure(name: str, value: float, n: int, interval: tuple[float, float] | None = None) -> Row:
    """One line of the report."""
    row: Row = {"name": name, "value": round(value, 4), "n": n}
    if interval is not None:
        row["interval"] = [round(interval[0], 4), round(interval[1], 4)]
    return row


def share(name: str, hits: Sequence[bool] | npt.NDArray[np.bool_]) -> Row:
    """Mean of hits with its bootstrap interval."""
    values = np.asarray(hits, dtype=np.float64)
    if not len(values):
        return figure(name, 0.0, 0)
    return figure(
        name, float(values.mean()), len(values), bootstrap(len(values), lambda index: float(values[index].mean()))
    )


def bootstrap(size: int, statistic: Callable[[npt.NDArray[np.int64]], float], seed: int = 1) -> tuple[float, float]:
    """95% percentile interval of ``statistic`` over resampled rows."""
    rng = np.random.default_rng(seed)
    values = [statistic(rng.integers(0, size, size)) for _ in range(RESAMPLES)]
    return float(np.quantile(values, 0.025)), float(np.quantile(values, 0.975))


def per_label(truth: Sequence[str], said: Sequence[str]) -> list[Row]:
    """Precision, recall and F1 of each label in ``truth``, most frequent first."""
    rows = []
    for label in sorted(set(truth), key=lambda item: (-list(truth).count(item), item)):
        hits = sum(t == s == label for t, s in zip(truth, said, strict=True))
        wanted, given = list(truth).count(label), list(said).count(label)
        precision, recall = hits / given if given else 0.0, hits / wanted
        f1 = 2 * hits / (wanted + given)
        rows.append(
            {
                "intent": label,
                "precision": round(precision, 4),
                "recall": round(recall, 4),
                "f1": round(f1, 4),
                "n": wanted,
            }
        )
    return rows


def macro_f1(rows: Sequence[Row], at_least: int = 5) -> float:
    """Mean F1 of the labels with at least that many examples."""
    kept = [row["f1"] for row in rows if row["n"] >= at_least]
    return float(np.mean(kept)) if kept else 0.0


def micro_f1(truth: Sequence[set[str]], said: Sequence[set[str]]) -> Row:
    """F1 over all flags of all messages, with its interval over messages."""
    hits = np.array([len(t & s) for t, s in zip(truth, said, strict=True)])
    sizes = np.array([len(t) + len(s) for t, s in zip(truth, said, strict=True)])

    def value(index: npt.NDArray[np.int64]) -> float:
        return float(2 * hits[index].sum() / max(1, sizes[index].sum()))

    return figure("flags micro-F1", value(np.arange(len(hits))), len(hits), bootstrap(len(hits), value))


def auroc(inside: Floats, outside: Floats) -> float:
    """Probability that a text from outside scores higher than one from inside; ties count half."""
    values = np.concatenate([inside, outside])
    order = values.argsort(kind="stable")
    ranks = np.empty(len(values))
    ranks[order] = np.arange(1, len(values) + 1)
    for tie in np.unique(values[np.r_[False, np.diff(np.sort(values)) == 0]]):
        ranks[values == tie] = ranks[values == tie].mean()
    return float((ranks[len(inside) :].sum() - len(outside) * (len(outside) + 1) / 2) / (len(inside) * len(outside)))


def calibration_error(confidence: Floats, right: npt.NDArray[np.bool_], bins: int = 15) -> float:
    """Expected calibration error over bins of equal width."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).mean()
            for b in set(index.tolist())
        )
    )


def calibration_floor(confidence: Floats, bins: int = 15, draws: int = 200, seed: int = 1) -> float:
    """Mean calibration error of a model whose confidences are exactly true, on as many messages: what chance leaves."""
    rng = np.random.default_rng(seed)
    return float(
        np.mean([calibration_error(confidence, rng.random(len(confidence)) < confidence, bins) for _ in range(draws)])
    )


def reliability(confidence: Floats, right: npt.NDArray[np.bool_], bins: int = 10) -> list[Row]:
    """The reliability diagram as rows: mean confidence, accuracy and messages of each filled bin."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return [
        {
            "confidence": round(float(confidence[index == b].mean()), 4),
            "accuracy": round(float(right[index == b].mean()), 4),
            "n": int((index == b).sum()),
        }
        for b in range(bins)
        if (index == b).any()
    ]
