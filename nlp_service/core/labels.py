"""From scores to labels: calibration, the ordinal sentiment score, and when to abstain."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nlp_service.contract.calibration import Calibration, sigmoid, softmax
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import FloatArray, LabelConfidence, Labels, Language, Scores, Sentiment

ALTERNATIVES = 3
LEAST_ALTERNATIVE = 0.01  # below, an alternative says nothing


def calibrate(scores: Scores, calibration: Calibration, taxonomy: Taxonomy) -> list[Labels]:
    """Return the calibrated labels of n messages, in order."""
    temperature = calibration.temperatures
    intents = softmax(scores.intent, temperature.get("intent", 1.0))
    sentiments = softmax(scores.sentiment, temperature.get("sentiment", 1.0))
    emotions = softmax(scores.emotion, temperature.get("emotion", 1.0))
    flags = sigmoid(scores.flags, temperature.get("flags", 1.0))
    urgencies = softmax(scores.priority, temperature.get("priority", 1.0))
    scope = sigmoid(scores.scope, temperature.get("scope", 1.0))
    intent_ids = tuple(taxonomy.intents)
    priority_ids = tuple(taxonomy.priorities)
    thresholds = np.array([calibration.flag_thresholds.get(flag, 0.5) for flag in taxonomy.flags])
    results = []
    for row in range(len(scores)):
        ranked = _ranked(intents[row], intent_ids)
        results.append(
            Labels(
                intent=ranked[0],
                alternatives=tuple(item for item in ranked[1:] if item.confidence >= LEAST_ALTERNATIVE),
                sentiment=_sentiment(sentiments[row], taxonomy),
                emotion=_best(emotions[row], taxonomy.emotions),
                flags=tuple(
                    LabelConfidence(label=taxonomy.flags[i], confidence=float(flags[row, i]))
                    for i in np.flatnonzero(flags[row] >= thresholds)
                ),
                urgency=_best(urgencies[row], priority_ids),
                out_of_scope=float(scope[row]),
            )
        )
    return results


def abstain(
    labels: Labels, language: Language, *, words: bool, threshold: float, scope_threshold: float
) -> tuple[str, ...]:
    """Return why a person must look at a message; empty where the answer may be acted upon.

    Args:
        labels: calibrated labels of the message.
        language: what it is written in.
        words: whether the text holds any letter or digit.
        threshold: least intent confidence that keeps the promised accuracy.
        scope_threshold: out-of-scope probability from which the answer is not trusted.
    """
    if not words:
        return ("no_words",)
    reasons = []
    if language.code == "und":
        reasons.append("unclear_language")
    elif not language.supported:
        reasons.append("unsupported_language")
    if labels.out_of_scope >= scope_threshold:
        reasons.append("out_of_scope")
    if labels.intent.confidence < threshold:
        reasons.append("low_confidence")
    return tuple(reasons)


def _ranked(probabilities: FloatArray, identifiers: Sequence[str]) -> list[LabelConfidence]:
    order = np.argsort(-probabilities, kind="stable")[: ALTERNATIVES + 1]
    return [LabelConfidence(label=identifiers[i], confidence=float(probabilities[i])) for i in order]


def _best(probabilities: FloatArray, identifiers: Sequence[str]) -> LabelConfidence:
    best = int(np.argmax(probabilities))
    return LabelConfidence(label=identifiers[best], confidence=float(probabilities[best]))


def _sentiment(probabilities: FloatArray, taxonomy: Taxonomy) -> Sentiment:
    values = np.array(list(taxonomy.sentiments.values()), dtype=np.float64)
    best = int(np.argmax(probabilities))
    scale = float(np.abs(values).max())
    return Sentiment(
        label=tuple(taxonomy.sentiments)[best],
        score=round(float(probabilities @ values) / scale, 4),
        confidence=float(probabilities[best]),
    )
