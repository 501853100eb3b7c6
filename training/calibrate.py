"""Calibration on held-back training data with the exported model: temperatures, thresholds, promises."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nlp_service.contract.calibration import Abstention, Calibration, sigmoid, softmax
from nlp_service.contract.taxonomy import Taxonomy
from training.data.examples import Example
from training.measure import Arrays, label_of

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
TEMPERATURES = np.geomspace(0.3, 4.0, 120)
TARGETS = (0.80, 0.85, 0.90, 0.95, 0.97)
RISK_LEVEL = 0.1
SCOPE_FALSE_ALARMS = 0.01  # share of real messages that may be called out of scope
MIN_POSITIVES = 8  # a flag with fewer keeps the threshold 0.5


def calibrate(outputs: Arrays, examples: Sequence[Example], scope_outputs: Arrays, taxonomy: Taxonomy) -> Calibration:
    """Fit everything on ``outputs`` of ``examples`` and, for the scope, of out-of-scope texts."""
    temperatures = {
        name: _fit_classes(outputs[name], examples, name) for name in ("intent", "sentiment", "emotion", "priority")
    }
    truth = _flag_matrix(examples, len(taxonomy.flags))
    labelled = np.array([example.flags is not None for example in examples])
    temperatures["flags"] = _fit_binary(outputs["flags"][labelled], truth[labelled])
    scope_logits = np.concatenate([outputs["scope"], scope_outputs["scope"]])
    scope_truth = np.concatenate([np.zeros(len(outputs["scope"])), np.ones(len(scope_outputs["scope"]))])[:, None]
    temperatures["scope"] = _fit_binary(scope_logits, scope_truth.astype(np.float32))
    probabilities = sigmoid(outputs["flags"][labelled], temperatures["flags"])
    thresholds = {
        flag: best_threshold(probabilities[:, i], truth[labelled][:, i] > 0) for i, flag in enumerate(taxonomy.flags)
    }
    scope = np.quantile(sigmoid(outputs["scope"], temperatures["scope"]), 1 - SCOPE_FALSE_ALARMS)
    rows = [i for i, example in enumerate(examples) if example.intent is not None]
    sure = softmax(outputs["intent"][rows], temperatures["intent"])
    right = sure.argmax(1) == np.array([label_of(examples[i], "intent") for i in rows])
    promises = tuple(promise(sure.max(1), right, target) for target in TARGETS)
    return Calibration(
        temperatures={name: round(value, 4) for name, value in temperatures.items()},
        flag_thresholds={name: round(value, 4) for name, value in thresholds.items()},
        scope_threshold=round(float(scope), 4),
        abstention=promises,
        theme_similarity=0.80,
        reference=_reference(outputs, examples, sure, taxonomy),
    )


def promise(confidence: Floats, right: Bools, target: float, risk_level: float = RISK_LEVEL) -> Abstention:
    """Choose the lowest confidence at which accuracy is at least ``target``, wrong with probability ``risk_level``.

    Learn then Test (Angelopoulos et al. 2021) with fixed-sequence testing: thresholds are tried from strict to
    lax, each by the exact binomial tail; the last one before the first failure is kept. Where none holds, the
    threshold is above 1: nothing is answered automatically.
    """
    order = np.argsort(-confidence, kind="stable")
    errors = np.cumsum(~right[order])
    chosen = None
    first = math.ceil(math.log(risk_level) / math.log(target)) + 1  # fewer could not pass without an error
    for count in sorted({*range(max(first, len(order) // 20), len(order), max(1, len(order) // 200)), len(order)}):
        if count < first:
            continue
        if binomial_tail(int(errors[count - 1]), count, 1 - target) > risk_level:
            break
        chosen = count
    if chosen is None:
        return Abstention(threshold=1.01, target_accuracy=target, risk_level=risk_level, coverage=0.0, accuracy=1.0)
    return Abstention(
        threshold=round(float(confidence[order[chosen - 1]]), 6),
        target_accuracy=target,
        risk_level=risk_level,
        coverage=round(chosen / len(order), 4),
        accuracy=round(1 - float(errors[chosen - 1]) / chosen, 4),
    )


def binomial_tail(errors: int, count: int, rate: float) -> float:
    """P(Binomial(count, rate) <= errors): the p-value of "the error rate is above ``rate``"."""
    logs = [
        math.lgamma(count + 1)
        - math.lgamma(k + 1)
        - math.lgamma(count - k + 1)
        + k * math.log(rate)
        + (count - k) * math.log1p(-rate)
        for k in range(errors + 1)
    ]
    return min(1.0, math.fsum(math.exp(value) for value in logs))


def best_threshold(probability: Floats, truth: Bools) -> float:
    """Threshold of the best F1, between 0.2 and 0.8; 0.5 where too few are set to tell."""
    if truth.sum() < MIN_POSITIVES:
        return 0.5
    grid = np.linspace(0.2, 0.8, 25)
    scores = [2 * (truth & (probability >= t)).sum() / max(1, truth.sum() + (probability >= t).sum()) for t in grid]
    best = np.flatnonzero(np.isclose(scores, max(scores)))
    return float(grid[best[len(best) // 2]])


def expected_calibration_error(confidence: Floats, right: Bools, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy over equal-width bins, weighted by their size."""
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(confidence[index == b].mean() - right[index == b].mean()) * (index == b).mean()
            for b in range(bins)
            if (index == b).any()
        )
    )


def _fit_classes(logits: Floats, examples: Sequence[Example], head: str) -> float:
    rows = [
        i
        for i, e in enumerate(examples)
        if getattr(e, head) is not None and (head != "sentiment" or len(e.sentiment or ()) == 1)
    ]
    if not rows:
        return 1.0
    truth = np.array([label_of(examples[i], head) for i in rows])
    losses = [-np.log(softmax(logits[rows], t)[np.arange(len(rows)), truth] + 1e-12).mean() for t in TEMPERATURES]
    return float(TEMPERATURES[int(np.argmin(losses))])


def _fit_binary(logits: Floats, truth: Floats) -> float:
    if not len(logits):
        return 1.0
    losses = []
    for t in TEMPERATURES:
        p = np.clip(sigmoid(logits, t), 1e-7, 1 - 1e-7)
        losses.append(-(truth * np.log(p) + (1 - truth) * np.log(1 - p)).mean())
    return float(TEMPERATURES[int(np.argmin(losses))])


def _flag_matrix(examples: Sequence[Example], size: int) -> Floats:
    truth = np.zeros((len(examples), size), dtype=np.float32)
    for row, example in enumerate(examples):
        truth[row, list(example.flags or ())] = 1.0
    return truth


def _reference(outputs: Arrays, examples: Sequence[Example], sure: Floats, taxonomy: Taxonomy) -> dict[str, object]:
    """What drift is measured against: shares of labels and languages, mean confidence and the mean embedding."""
    languages = Counter(example.lang for example in examples)
    shares = np.bincount(sure.argmax(1), minlength=len(taxonomy.intents)) / len(sure)
    return {
        "intent_shares": {name: round(float(share), 5) for name, share in zip(taxonomy.intents, shares, strict=True)},
        "language_shares": {name: round(count / len(examples), 5) for name, count in languages.most_common()},
        "mean_confidence": round(float(sure.max(1).mean()), 4),
        "embedding_mean": [round(float(value), 5) for value in outputs["embedding"].mean(0)],
        "messages": len(sure),
    }
