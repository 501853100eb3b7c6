"""Which words carried a label: each word is left out in turn and the label's probability compared (occlusion)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_service.contract.calibration import Calibration, softmax
from nlp_service.core.labelling import FloatArray, Scores

MOST_WORDS = 48  # left out one by one; more are left out in groups of neighbours

Span = tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Carrier:
    """A span of the text and how much of a label's probability went with it."""

    start: int
    end: int
    text: str
    weight: float  # probability lost without it; negative where it spoke against the label


@dataclass(frozen=True, kw_only=True)
class Explanation:
    intent: tuple[Carrier, ...]  # heaviest first
    sentiment: tuple[Carrier, ...]
    emotion: tuple[Carrier, ...]


def groups(spans: Sequence[Span]) -> list[Span]:
    """Join neighbouring words until at most MOST_WORDS spans are left."""
    size = -(-len(spans) // MOST_WORDS) if spans else 1
    return [(part[0][0], part[-1][1]) for part in (spans[i : i + size] for i in range(0, len(spans), size))]


def without(text: str, span: Span) -> str:
    return f"{text[: span[0]]} {text[span[1] :]}"


def explain(
    text: str, spans: Sequence[Span], scores: Scores, calibration: Calibration, *, most: int = 6
) -> Explanation:
    """Return the carriers of the main label of each head.

    Args:
        text: as the model read it.
        spans: the n spans that were left out.
        scores: n + 1 rows: the whole text first, then the text without each span.
        calibration: temperatures of the heads.
        most: carriers per label.
    """
    heads = {"intent": scores.intent, "sentiment": scores.sentiment, "emotion": scores.emotion}
    found = {
        head: _carriers(text, spans, softmax(logits, calibration.temperatures.get(head, 1.0)), most)
        for head, logits in heads.items()
    }
    return Explanation(**found)


def _carriers(text: str, spans: Sequence[Span], probabilities: FloatArray, most: int) -> tuple[Carrier, ...]:
    label = int(np.argmax(probabilities[0]))
    lost = probabilities[0, label] - probabilities[1:, label]
    heaviest = np.argsort(-np.abs(lost), kind="stable")[:most]
    return tuple(
        Carrier(start=spans[i][0], end=spans[i][1], text=text[slice(*spans[i])], weight=round(float(lost[i]), 4))
        for i in heaviest
        if abs(lost[i]) >= 0.005
    )
