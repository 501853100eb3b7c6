"""How often a model's labels are right, by what people said of its messages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.core.themes.statistics import share
from nlp_service.core.themes.values import Interval

HEADS = ("intent", "sentiment", "emotion", "priority")


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """One message: what a model said and what people settled on."""

    text_hash: str
    said: Mapping[str, str]  # head -> label
    right: CorrectedLabels  # a field that is None was not judged, or people still disagree


@dataclass(frozen=True, kw_only=True)
class LabelPrecision:
    head: str
    label: str  # as the model said
    judged: int  # messages
    right: int  # of them
    precision: Interval  # Jeffreys
    instead: Mapping[str, int]  # what people said instead, most frequent first


def precision(judgements: Sequence[Judgement], *, texts: Collection[str] | None = None) -> tuple[LabelPrecision, ...]:
    """Return precision per head and label, the most judged label of each head first.

    Args:
        judgements: of one model.
        texts: only messages of these texts, those of a random sample; None for all that were judged. The queue shows
            what is difficult, so over all of them precision comes out too low.
    """
    judged: dict[tuple[str, str], Counter[str]] = {}
    for judgement in judgements:
        if texts is not None and judgement.text_hash not in texts:
            continue
        right = judgement.right.given()
        for head in HEADS:
            truth = right.get(head)
            if isinstance(truth, str) and head in judgement.said:
                judged.setdefault((head, judgement.said[head]), Counter())[truth] += 1
    found = [_of(head, label, truths) for (head, label), truths in judged.items()]
    return tuple(sorted(found, key=lambda entry: (HEADS.index(entry.head), -entry.judged, entry.label)))


def _of(head: str, label: str, truths: Counter[str]) -> LabelPrecision:
    judged = truths.total()
    instead = {truth: n for truth, n in truths.most_common() if truth != label}
    return LabelPrecision(
        head=head,
        label=label,
        judged=judged,
        right=truths[label],
        precision=share(truths[label], judged),
        instead=instead,
    )
