"""The verdict: paired bootstrap of every figure, then promote, hold or reject with reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_service.core.trial.measures import Figure, Floats, figures, robustness_figures
from nlp_service.core.trial.values import (
    BETTER,
    DOUBTFUL,
    HOLD,
    KEPT,
    PROMOTE,
    REJECT,
    WORSE,
    Check,
    Cost,
    Judged,
    Limits,
    RobustnessCase,
    Verdict,
)
from nlp_service.errors import InputError

_PARTS = ("label", "language", "slice")  # judged only with enough messages; doubt alone must be sure
_CHUNK = 250  # resamples drawn at once, so that memory stays bounded
_INTERVAL = (0.025, 0.975)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Everything that a verdict rests on."""

    judged: Sequence[Judged]
    robustness: Sequence[RobustnessCase]
    before: Cost
    after: Cost
    identical: bool  # candidate and accepted are the same model
    target_accuracy: float  # promised on what is answered automatically


def decide(trial: Trial, limits: Limits) -> Verdict:
    """Judge a candidate; raises InputError where there is nothing to judge by."""
    if not trial.judged:
        raise InputError("there is no labelled message to judge by: give at least one file with --eval")
    found = [
        *figures(trial.judged, target=trial.target_accuracy),
        *robustness_figures(trial.robustness, len(trial.judged)),
    ]
    enough = [f for f in found if f.kind not in _PARTS or f.messages >= limits.least_messages]
    few = tuple(f"{f.kind} {f.name} ({f.messages})" for f in found if f not in enough)
    losses = _resample(enough, _groups(trial), limits)
    family = Counter(figure.kind for figure in enough)
    checks = [
        _check(figure, changes, limits, family[figure.kind]) for figure, changes in zip(enough, losses, strict=True)
    ]
    checks += _costs(trial.before, trial.after, limits)
    decision, reasons = _sum_up(checks, identical=trial.identical)
    return Verdict(decision=decision, reasons=reasons, checks=tuple(checks), unjudged=few)


def _groups(trial: Trial) -> npt.NDArray[np.int64]:
    """Number the conversations of all rows; a robustness case stands for itself."""
    keys: dict[tuple[str, str], int] = {}
    numbers = [
        keys.setdefault((item.set, item.record.dialogue or f"row {row}"), len(keys))
        for row, item in enumerate(trial.judged)
    ]
    return np.array([*numbers, *range(len(keys), len(keys) + len(trial.robustness))], dtype=np.int64)


def _resample(found: Sequence[Figure], groups: npt.NDArray[np.int64], limits: Limits) -> list[Floats]:
    """Return the change (resamples,) of each figure under draws of whole conversations, the same for both models."""
    size = int(groups.max()) + 1
    blocks = [_by_group(figure, groups, size) for figure in found]
    matrix = np.concatenate(blocks, axis=1) if blocks else np.zeros((size, 0))
    edges = np.cumsum([0, *[block.shape[1] for block in blocks]])
    random = np.random.default_rng(limits.seed)
    parts: list[list[Floats]] = [[] for _ in found]
    for start in range(0, limits.resamples, _CHUNK):
        count = min(_CHUNK, limits.resamples - start)
        sums = random.multinomial(size, np.full(size, 1 / size), size=count).astype(np.float64) @ matrix
        for place, figure in enumerate(found):
            own = sums[:, edges[place] : edges[place + 1]]
            half = own.shape[1] // 2
            parts[place].append(figure.value(own[:, half:]) - figure.value(own[:, :half]))
    return [np.concatenate(part) for part in parts]


def _by_group(figure: Figure, groups: npt.NDArray[np.int64], size: int) -> Floats:
    columns = np.concatenate([figure.before, figure.after], axis=1)
    summed = np.zeros((size, columns.shape[1]))
    np.add.at(summed, groups[figure.rows], columns)
    return summed


def _check(figure: Figure, changes: Floats, limits: Limits, family: int) -> Check:
    """Compare a figure with its tolerance; ``family`` checks of its kind share the risk of a false alarm (Bonferroni).

    The share of resamples stands for the probability, as in Efron & Tibshirani 1993, chapter 15.
    """
    losses = changes if figure.falling else -changes
    tolerance = limits.tolerance[figure.kind]
    beyond = float((losses > tolerance).mean())
    gained = float((losses < -limits.least_gain).mean())
    corrected = 1 - (1 - limits.sure) / family
    doubt = limits.sure if figure.kind in _PARTS or figure.kind == "robustness" else limits.likely
    if beyond >= corrected:
        outcome = WORSE
    elif beyond >= doubt:
        outcome = DOUBTFUL
    elif figure.kind == "head" and gained >= corrected:
        outcome = BETTER
    else:
        outcome = KEPT
    low, high = (float(value) for value in np.quantile(changes, _INTERVAL))
    return Check(
        kind=figure.kind,
        name=figure.name,
        set=figure.set,
        messages=figure.messages,
        before=float(figure.value(figure.before.sum(0))),
        after=float(figure.value(figure.after.sum(0))),
        low=low,
        high=high,
        tolerance=tolerance,
        outcome=outcome,
    )


def _costs(before: Cost, after: Cost, limits: Limits) -> Iterator[Check]:
    pairs = (
        ("CPU seconds", before.cpu_seconds, after.cpu_seconds, limits.cpu_ratio),
        ("MB of files", before.megabytes, after.megabytes, limits.size_ratio),
        ("MB of memory", before.memory_mb, after.memory_mb, limits.memory_ratio),
    )
    for name, old, new, ratio in pairs:
        yield Check(
            kind="cost",
            name=name,
            set="",
            messages=0,
            before=old,
            after=new,
            low=new - old,
            high=new - old,
            tolerance=(ratio - 1) * old,
            outcome=WORSE if new > ratio * old else KEPT,
        )


def _sum_up(checks: Sequence[Check], *, identical: bool) -> tuple[str, tuple[str, ...]]:
    if identical:
        return REJECT, ("the candidate is the accepted model: model, calibration, tokenizer and labels are the same",)
    worse = [check for check in checks if check.outcome == WORSE]
    doubtful = [check for check in checks if check.outcome == DOUBTFUL]
    better = [check for check in checks if check.outcome == BETTER]
    if worse:
        return REJECT, tuple(_say(check, "is worse than tolerated") for check in (*worse, *doubtful))
    if doubtful:
        return HOLD, tuple(_say(check, "may be worse than tolerated") for check in doubtful)
    if not better:
        return HOLD, ("no head is surely better than with the accepted model",)
    return PROMOTE, tuple(_say(check, "is surely better") for check in better)


def _say(check: Check, what: str) -> str:
    where = f" on {check.set}" if check.set else ""
    if check.kind == "cost":
        return f"{check.name} {what}: {check.before:.1f} to {check.after:.1f}"
    return (
        f"{check.kind} {check.name}{where} {what}: {check.before:.3f} to {check.after:.3f}, "
        f"change {check.change:+.3f} ({check.low:+.3f} to {check.high:+.3f}), tolerated {check.tolerance:.3f}"
    )
