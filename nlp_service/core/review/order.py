"""The order of the review queue: what teaches most comes first, and nothing that says the same twice.

Scores add up the strengths of a message's reasons, weighted. Uncertainty sampling alone asks for outliers and copies
(Settles 2009, chapter 5), so agreement with neighbours and drift weigh too, near copies of an entry are left out, and
every fifth place goes to a message drawn at random: without those nothing could be measured from what people say.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np

from nlp_service.core.labelling import FloatArray
from nlp_service.core.review.values import (
    DISAGREEMENT,
    DRIFTED_REGION,
    LOW_CONFIDENCE,
    NEIGHBOURS_DIFFER,
    RARE_LABEL,
    SAMPLE,
    SECOND_OPINION,
    ReviewEntry,
    ReviewReason,
)
from nlp_service.core.stored import LabelledMessage
from nlp_service.core.themes.feedback import Bools, bare
from nlp_service.core.themes.neighbours import IntArray, nearest

NEIGHBOURS = 15
UNSURE_BELOW = 0.6  # intent confidence that puts a message in the queue
DIFFER_FROM = 0.5  # weight of the neighbours with another label, of all
PERSON_WEIGHS = 3.0  # a neighbour that a person labelled, against one that the model did
RARE_SHARE = 0.01  # of the messages read, under which a label is rare
WELL_TAUGHT = 20  # labels by people from which a rare label needs no more
DRIFT_Z = 2.5  # standard errors above the usual share of recent neighbours
LEAST_PAST = 200  # messages of the past without which nothing can be called drifted
NEAR_COPY = 0.97  # cosine from which two entries teach the same
DISPUTE_SCORE = 5.0  # above every sum of the other reasons
SAMPLE_EVERY = 5  # every fifth place
WEIGHTS = {LOW_CONFIDENCE: 1.0, NEIGHBOURS_DIFFER: 1.0, DRIFTED_REGION: 0.6, RARE_LABEL: 0.5, SECOND_OPINION: 0.5}


@dataclass(frozen=True, kw_only=True)
class Known:
    """What people have said so far."""

    intents: Mapping[str, str] = field(default_factory=dict)  # message -> intent that counts
    taught: Mapping[str, int] = field(default_factory=dict)  # intent -> messages that people labelled so
    disputed: Sequence[tuple[str, str]] = ()  # (message, department), oldest first
    second: Sequence[tuple[str, str]] = ()  # messages that one person judged and another should
    sample: Sequence[tuple[str, str]] = ()  # (message, department) in random order, not yet judged


def order(
    messages: Sequence[LabelledMessage], embeddings: FloatArray, *, recent: Bools, known: Known, limit: int = 200
) -> tuple[ReviewEntry, ...]:
    """Return the queue, what teaches most first.

    Args:
        messages: n labelled messages of one model, the recent ones and some of the past.
        embeddings: float32 (n, d), unit norm.
        recent: (n,) those that may enter the queue; the others are what they are compared with.
        known: what people have said.
        limit: entries at most.
    """
    reasons = _reasons(messages, embeddings, recent=recent, known=known)
    disputes = [disputed_entry(key, department) for key, department in known.disputed]
    judged = {*known.intents, *(key for key, _ in known.disputed)}
    open_rows = [row for row in reasons if messages[row].message_id not in judged]
    ranked = sorted(open_rows, key=lambda row: (-_score(reasons[row]), messages[row].message_id))
    asked = [
        ReviewEntry(message_id=key, department=department, score=WEIGHTS[SECOND_OPINION], reasons=(_second(),))
        for key, department in known.second
    ]
    teaching = _by_score(_distinct(messages, embeddings, ranked, reasons, limit), asked)
    return _interleaved(disputes, teaching, known.sample, limit)


def _reasons(
    messages: Sequence[LabelledMessage], embeddings: FloatArray, *, recent: Bools, known: Known
) -> dict[int, list[ReviewReason]]:
    """Return the reasons of each recent message that has any, strongest first."""
    if not len(messages):
        return {}
    near, _ = nearest(embeddings, NEIGHBOURS)
    labels = [known.intents.get(message.message_id, message.intent) for message in messages]
    by_person = np.array([PERSON_WEIGHS if message.message_id in known.intents else 1.0 for message in messages])
    drift = _drift(near, recent)
    shares = Counter(message.intent for message in messages)
    found: dict[int, list[ReviewReason]] = {}
    for row in np.flatnonzero(recent).tolist():
        message = messages[row]
        own = [
            _unsure(message),
            _differing(row, near, labels, by_person, message.intent),
            drift.get(row),
            _rare(message.intent, shares[message.intent] / len(messages), known.taught.get(message.intent, 0)),
        ]
        kept = [reason for reason in own if reason is not None]
        if kept:
            found[row] = sorted(kept, key=lambda reason: -reason.strength * WEIGHTS[reason.kind])
    return found


def _score(reasons: Sequence[ReviewReason]) -> float:
    return sum(reason.strength * WEIGHTS[reason.kind] for reason in reasons)


def _unsure(message: LabelledMessage) -> ReviewReason | None:
    if message.intent_confidence >= UNSURE_BELOW:
        return None
    because = f"confidence {message.intent_confidence:.2f}"
    return ReviewReason(
        kind=LOW_CONFIDENCE,
        strength=1 - message.intent_confidence / UNSURE_BELOW,
        because=because,
        figures={"confidence": message.intent_confidence},
    )


def _differing(
    row: int, near: IntArray, labels: Sequence[str], weights: np.typing.NDArray[np.float64], own: str
) -> ReviewReason | None:
    others = [other for other in near[row].tolist() if other != row]
    total = float(weights[others].sum())
    if total == 0:
        return None
    differ: defaultdict[str, float] = defaultdict(float)
    for other in others:
        if labels[other] != own:
            differ[labels[other]] += float(weights[other])
    share = sum(differ.values()) / total
    if share < DIFFER_FROM:
        return None
    label, weight = max(differ.items(), key=lambda entry: entry[1])
    because = f"{share:.0%} of its {len(others)} neighbours are labelled otherwise, {weight / total:.0%} {label}"
    figures: dict[str, str | float] = {"share": share, "count": len(others), "label": label, "part": weight / total}
    return ReviewReason(kind=NEIGHBOURS_DIFFER, strength=share, because=because, figures=figures)


def _drift(near: IntArray, recent: Bools) -> dict[int, ReviewReason]:
    """Find recent messages whose neighbours are recent more often than messages are."""
    past = int((~recent).sum())
    if past < LEAST_PAST or near.shape[1] == 0:
        return {}
    base = float(recent.mean())
    share = recent[near].mean(axis=1)
    error = float(np.sqrt(base * (1 - base) / near.shape[1]))
    if error == 0:
        return {}
    z = (share - base) / error
    return {
        row: ReviewReason(
            kind=DRIFTED_REGION,
            strength=float(min(1.0, z[row] / (2 * DRIFT_Z))),
            because=f"{share[row]:.0%} of its neighbours are recent, {base:.0%} of all messages are",
            figures={"share": float(share[row]), "usual": base},
        )
        for row in np.flatnonzero(recent & (z >= DRIFT_Z)).tolist()
    }


def _rare(intent: str, share: float, taught: int) -> ReviewReason | None:
    if share >= RARE_SHARE or taught >= WELL_TAUGHT:
        return None
    strength = (1 - share / RARE_SHARE) * (1 - taught / WELL_TAUGHT)
    because = f"{intent} is {share:.1%} of the messages, people labelled {taught}"
    figures: dict[str, str | float] = {"label": intent, "share": share, "taught": taught}
    return ReviewReason(kind=RARE_LABEL, strength=strength, because=because, figures=figures)


def disputed_entry(message_id: str, department: str) -> ReviewEntry:
    """Return the entry of a message that people disagree about."""
    because = "people labelled it differently: a third decides"
    reason = ReviewReason(kind=DISAGREEMENT, strength=1.0, because=because)
    return ReviewEntry(message_id=message_id, department=department, score=DISPUTE_SCORE, reasons=(reason,))


def _second() -> ReviewReason:
    return ReviewReason(kind=SECOND_OPINION, strength=1.0, because="one person labelled it")


def _drawn() -> ReviewReason:
    return ReviewReason(kind=SAMPLE, strength=1.0, because="drawn at random, to measure by")


def _distinct(
    messages: Sequence[LabelledMessage],
    embeddings: FloatArray,
    ranked: Sequence[int],
    reasons: Mapping[int, Sequence[ReviewReason]],
    limit: int,
) -> list[ReviewEntry]:
    """Take the ranked rows in order, passing over near copies of one that was taken."""
    taken: list[int] = []
    texts: set[str] = set()
    for row in ranked:
        if len(taken) == limit:
            break
        text = bare(messages[row].text) or messages[row].text_hash
        if text in texts or (taken and float((embeddings[taken] @ embeddings[row]).max()) >= NEAR_COPY):
            continue
        taken.append(row)
        texts.add(text)
    return [
        ReviewEntry(
            message_id=messages[row].message_id,
            department=messages[row].department,
            score=_score(reasons[row]),
            reasons=tuple(reasons[row]),
        )
        for row in taken
    ]


def _by_score(*lists: Sequence[ReviewEntry]) -> Iterator[ReviewEntry]:
    """Bring lists together by score; the stable sort keeps each in its order."""
    return iter(sorted((entry for part in lists for entry in part), key=lambda entry: -entry.score))


def _interleaved(
    first: Sequence[ReviewEntry], teaching: Iterator[ReviewEntry], sample: Sequence[tuple[str, str]], limit: int
) -> tuple[ReviewEntry, ...]:
    """Put disputes first, then what teaches, every fifth place a random one; a message stands once."""
    drawn = iter(
        ReviewEntry(message_id=key, department=department, score=0.0, reasons=(_drawn(),)) for key, department in sample
    )
    queue: dict[str, ReviewEntry] = {entry.message_id: entry for entry in first[:limit]}
    for turn in count(1):
        if len(queue) >= limit:
            break
        turns = (drawn, teaching) if turn % SAMPLE_EVERY == 0 else (teaching, drawn)
        entry = next(turns[0], None) or next(turns[1], None)
        if entry is None:
            break
        queue.setdefault(entry.message_id, entry)
    return tuple(queue.values())
