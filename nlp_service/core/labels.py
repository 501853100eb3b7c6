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
    ranks = np.argsort(-intents, axis=1, kind="stable")[:, : ALTERNATIVES + 1]
    ranked = zip(ranks.tolist(), np.take_along_axis(intents, ranks, axis=1).tolist(), strict=True)
    rows = zip(
        ranked,
        _sentiments(sentiments, taxonomy),
        _best(emotions, taxonomy.emotions),
        _best(urgencies, priority_ids),
        zip((flags >= thresholds).tolist(), flags.tolist(), strict=True),
        scope.tolist(),
        strict=True,
    )
    return [
        Labels(
            intent=LabelConfidence(label=intent_ids[places[0]], confidence=confidences[0]),
            alternatives=tuple(
                LabelConfidence(label=intent_ids[place], confidence=confidence)
                for place, confidence in zip(places[1:], confidences[1:], strict=True)
                if confidence >= LEAST_ALTERNATIVE
            ),
            sentiment=sentiment,
            emotion=emotion,
            flags=tuple(
                LabelConfidence(label=flag, confidence=value)
                for flag, is_set, value in zip(taxonomy.flags, chosen, values, strict=True)
                if is_set
            ),
            urgency=urgency,
            out_of_scope=out_of_scope,
        )
        for (places, confidences), sentiment, emotion, urgency, (chosen, values), out_of_scope in rows
    ]


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
    if labels.provisional:  # a handful of examples keeps no promise
        reasons.append("provisional_intent")
    elif labels.intent.confidence < threshold:
        reasons.append("low_confidence")
    return tuple(reasons)


def _best(probabilities: FloatArray, identifiers: Sequence[str]) -> list[LabelConfidence]:
    best = np.argmax(probabilities, axis=1).tolist()
    highest = probabilities.max(axis=1).tolist()
    return [
        LabelConfidence(label=identifiers[place], confidence=confidence)
        for place, confidence in zip(best, highest, strict=True)
    ]


def _sentiments(probabilities: FloatArray, taxonomy: Taxonomy) -> list[Sentiment]:
    values = np.array(list(taxonomy.sentiments.values()), dtype=np.float64)
    scores = (probabilities @ values / float(np.abs(values).max())).tolist()
    best = _best(probabilities, tuple(taxonomy.sentiments))
    return [
        Sentiment(label=entry.label, score=round(score, 4), confidence=entry.confidence)
        for entry, score in zip(best, scores, strict=True)
    ]
