"""Likely wrong labels, by confident learning (Northcutt, Jiang and Chuang 2021).

A small linear head on the accepted model's embeddings predicts each record's label from the other records alone
(out of fold, near copies in the same fold). Where the model has the label too, its own opinion weighs as much. Records
whose label is less probable than another that its own class would be proud of are counted: so many labels are likely
wrong, and those whose own label is least probable are listed. Ranking by that self-confidence found more planted errors
than ranking by margin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import IntArray

FOLDS = 5
RIDGE = 1.0
SHARPNESS = 8.0  # turns the head's scores, about 0 to 1, into logits
MODEL_WEIGHS = 0.5  # of the model's own opinion against the head's
LEAST_RECORDS = 50  # of a head, without which nothing is said
LEAST_OF_LABEL = 3  # records of a label, below which the head cannot know it

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Suspect:
    row: int
    given: str
    better: str  # the label that is most probable instead
    confidence: float  # probability of the label given: the lower, the more suspect


def find_suspects(
    labels: Sequence[str],
    embeddings: FloatArray,
    groups: Sequence[str],
    opinion: FloatArray | None,
    known: Sequence[str],
) -> list[Suspect]:
    """Return the likely wrong labels of one head, the most suspect first.

    Args:
        labels: n labels.
        embeddings: float32 (n, d).
        groups: n names; records of one group are predicted together, so that copies do not vouch for each other.
        opinion: the model's calibrated probabilities (n, len(known)), None where it has no such head.
        known: the model's labels, in the order of its columns.
    """
    names = sorted(set(labels))
    if len(labels) < LEAST_RECORDS or len(names) < 2:
        return []
    given = np.array([names.index(label) for label in labels])
    probable = _out_of_fold(given, len(names), embeddings, groups)
    if opinion is not None and set(names) <= set(known):
        columns = [list(known).index(name) for name in names]
        probable = _together(probable, opinion[:, columns].astype(np.float64))
    own = probable[np.arange(len(given)), given]
    count = int(_contradicted(probable, given, own).sum())
    often = np.bincount(given, minlength=len(names))
    candidates = [row for row in np.argsort(own, kind="stable").tolist() if probable[row].argmax() != given[row]]
    return [
        Suspect(
            row=row,
            given=labels[row],
            better=names[int(probable[row].argmax())],
            confidence=round(float(own[row]), 4),
        )
        for row in candidates[:count]
        if often[given[row]] >= LEAST_OF_LABEL
    ]


def _out_of_fold(given: IntArray, classes: int, embeddings: FloatArray, groups: Sequence[str]) -> Floats:
    """Predict each record by ridge regression on one-hot labels of the records in other folds."""
    rows = embeddings.astype(np.float64) - embeddings.mean(axis=0, dtype=np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    rows = np.hstack([rows, np.ones((len(rows), 1))])
    targets = np.eye(classes)[given]
    fold = _folds(groups)
    scores = np.zeros((len(rows), classes))
    for number in range(FOLDS):
        out = fold == number
        learn = rows[~out]
        normal = learn.T @ learn + RIDGE * np.eye(rows.shape[1])
        scores[out] = rows[out] @ np.linalg.solve(normal, learn.T @ targets[~out])
    return _softmax(SHARPNESS * scores)


def _folds(groups: Sequence[str]) -> IntArray:
    """Deal the groups out to the folds in order, so that every fold gets its share."""
    numbers = {name: number for number, name in enumerate(dict.fromkeys(groups))}
    return np.array([numbers[name] % FOLDS for name in groups])


def _together(head: Floats, model: Floats) -> Floats:
    """Return the weighted geometric mean of two opinions, rows summing to 1."""
    logs = (1 - MODEL_WEIGHS) * np.log(head + 1e-9) + MODEL_WEIGHS * np.log(model + 1e-6)
    return _softmax(logs)


def _contradicted(probable: Floats, given: IntArray, own: Floats) -> npt.NDArray[np.bool_]:
    """Mark records that another label claims with at least the confidence usual among its own records."""
    usual = np.array(
        [own[given == label].mean() if (given == label).any() else 1.0 for label in range(probable.shape[1])]
    )
    claimed = np.where(probable >= usual, probable, -1.0)
    return np.asarray((claimed.max(axis=1) > 0) & (claimed.argmax(axis=1) != given))


def _softmax(logits: Floats) -> Floats:
    exponent = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))
