"""Intents that people added with a few examples: a prototype on the embedding beside the intents that are trained.

Every intent is a normal distribution around the mean of its examples, all with one shrunk covariance (linear
discriminant analysis; Ledoit & Wolf 2004 for why it is shrunk). A message is the new intent's where it lies nearer to
its prototype than to any known one by more than a margin. The margin is calibrated on the known intents, each played as
the new one in turn, so that few messages are taken from the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import numpy.typing as npt

from nlp_service.contract.taxonomy import Intent, Taxonomy
from nlp_service.core.labelling import FloatArray, LabelConfidence, Labels
from nlp_service.errors import InputError

IntArray = npt.NDArray[np.intp]
LEAST_EXAMPLES, MOST_EXAMPLES = 8, 50
SHRINKAGE = 0.1  # between 0.05 and 0.3 the benchmark's F1 differs by less than 0.01
LEAST_KNOWN = 100  # examples of known intents; fewer say nothing of what would be taken away
LEAST_PLAYED = 5  # held messages of a known intent that is played as new
MOST_PLAYED = 20  # examples of a prototype when margins are calibrated; known intents have few more
_MARGINS = np.linspace(-60.0, 60.0, 121)
_SCALES = np.geomspace(2.0, 60.0, 40)
_NEAR = 60.0  # of the margin


@dataclass(frozen=True, kw_only=True)
class ProvisionalIntent:
    """An intent that no model was trained on yet."""

    id: str
    names: Mapping[str, str]  # language -> name
    group: str
    department: str
    examples: tuple[str, ...]  # masked
    created_at: datetime
    created_by: str


@dataclass(frozen=True, kw_only=True)
class ProvisionalHead:
    """Prototypes of provisional intents in one model's space."""

    ids: tuple[str, ...]
    whiten: FloatArray  # (d, d): distances after it are in units of the shrunk covariance
    known: FloatArray  # (intents, d), whitened means of the trained intents
    means: FloatArray  # (provisional intents, d), whitened prototypes
    margins: FloatArray  # (provisional intents,), from which a message is the intent's
    scales: FloatArray  # (provisional intents,), of the logistic that turns a margin into a probability

    def probabilities(self, embeddings: FloatArray) -> FloatArray:
        """Return the probability of each provisional intent for n unit vectors (n, d): (n, provisional intents)."""
        points = embeddings.astype(np.float32) @ self.whiten
        nearest = squared_distances(points, self.known).min(axis=1, keepdims=True)
        lead = nearest - squared_distances(points, self.means)
        logits = np.clip((lead - self.margins) / self.scales, -30, 30)
        return np.asarray(1 / (1 + np.exp(-logits)), dtype=np.float32)


def fit(examples: Mapping[str, FloatArray], known: FloatArray, labels: Sequence[str]) -> ProvisionalHead:
    """Make prototypes.

    Args:
        examples: provisional intent -> unit vectors of its examples (n, d), LEAST_EXAMPLES or more.
        known: unit vectors of labelled messages of the trained intents (m, d).
        labels: their intents; those that are also in ``examples`` are left out.

    Raises:
        InputError: too few examples or too few known messages; both numbers are named.
    """
    for name, vectors in examples.items():
        if len(vectors) < LEAST_EXAMPLES:
            raise InputError(f"intent {name!r} has {len(vectors)} examples, at least {LEAST_EXAMPLES} are needed")
    kept = np.array([label not in examples for label in labels], dtype=bool)
    if kept.sum() < LEAST_KNOWN:
        raise InputError(f"the model carries {int(kept.sum())} labelled examples, at least {LEAST_KNOWN} are needed")
    vectors = known[kept].astype(np.float32)
    _, index = np.unique(np.array(labels)[kept], return_inverse=True)
    whiten, centres = _space(vectors, index)
    shots = [np.asarray(part, dtype=np.float32) for part in examples.values()]
    by_size = {size: _calibrate(vectors, index, size) for size in {min(len(part), MOST_PLAYED) for part in shots}}
    calibrated = [by_size[min(len(part), MOST_PLAYED)] for part in shots]
    return ProvisionalHead(
        ids=tuple(examples),
        whiten=whiten,
        known=centres,
        means=np.stack([part.mean(axis=0) @ whiten for part in shots]),
        margins=np.array([margin for margin, _ in calibrated], dtype=np.float32),
        scales=np.array([scale for _, scale in calibrated], dtype=np.float32),
    )


def revise(labels: Sequence[Labels], embeddings: FloatArray, head: ProvisionalHead) -> list[Labels]:
    """Return the labels with a provisional intent wherever one is more likely than not; the trained one comes next."""
    probabilities = head.probabilities(embeddings)
    best = probabilities.argmax(axis=1)
    return [
        _revised(own, head.ids[place], float(row[place])) if row[place] >= 0.5 else own
        for own, row, place in zip(labels, probabilities, best.tolist(), strict=True)
    ]


def widen(taxonomy: Taxonomy, intents: Sequence[ProvisionalIntent]) -> Taxonomy:
    """Return the taxonomy with provisional intents after the trained ones, whose columns stay where they are."""
    added = {
        intent.id: Intent(id=intent.id, group=intent.group, names=intent.names, department=intent.department, covers="")
        for intent in intents
        if intent.id not in taxonomy.intents
    }
    names = {**taxonomy.names, **{key: value.names for key, value in added.items()}}
    return replace(taxonomy, intents={**taxonomy.intents, **added}, names=names)


def squared_distances(points: FloatArray, centres: FloatArray) -> FloatArray:
    """Return squared Euclidean distances (n, k) of points (n, d) and centres (k, d)."""
    norms = (points**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1)[None]
    return np.asarray(norms - 2 * points @ centres.T, dtype=np.float32)


def _space(vectors: FloatArray, index: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the whitening (d, d) by the shrunk covariance within intents, and the whitened means (k, d)."""
    places = np.unique(index)
    means = np.stack([vectors[index == place].mean(axis=0) for place in places])
    residuals = (vectors - means[np.searchsorted(places, index)]).astype(np.float64)
    covariance = residuals.T @ residuals / len(residuals)
    size = len(covariance)
    shrunk = (1 - SHRINKAGE) * covariance + SHRINKAGE * np.trace(covariance) / size * np.eye(size)
    whiten = np.asarray(np.linalg.cholesky(np.linalg.inv(shrunk)), dtype=np.float32)
    return whiten, means @ whiten


def _calibrate(vectors: FloatArray, index: IntArray, shots: int) -> tuple[float, float]:
    """Return (margin, scale) for prototypes of ``shots`` examples, by playing every known intent as the new one.

    An intent is taken out of a space that one half of the messages made, its first ``shots`` messages become a
    prototype, and the other half says which margin gives the best mean F1, and how steep the probability is. A handful
    of examples measured against each other would say less: their own spread is mostly chance.
    """
    curves, leads, truth = [], [], []
    for fold in (0, 1):
        inside = np.arange(len(vectors)) % 2 == fold
        whiten, centres = _space(vectors[inside], index[inside])
        places = np.unique(index[inside])
        held, wanted = vectors[~inside] @ whiten, index[~inside]
        distances = squared_distances(held, centres)
        nearest = np.partition(distances, 1, axis=1)[:, :2]
        for column, place in enumerate(places):
            own = np.flatnonzero(inside & (index == place))[:shots]
            is_own = wanted == place
            if len(own) < shots or is_own.sum() < LEAST_PLAYED:
                continue
            without = np.where(distances[:, column] <= nearest[:, 0], nearest[:, 1], nearest[:, 0])
            lead = without - squared_distances(held, (vectors[own] @ whiten).mean(axis=0)[None])[:, 0]
            hits = np.array([(is_own & (lead >= margin)).sum() for margin in _MARGINS])
            taken = np.array([(lead >= margin).sum() for margin in _MARGINS])
            curves.append(2 * hits / (taken + is_own.sum()))
            leads.append(lead)
            truth.append(is_own)
    if not curves:
        raise InputError(f"no known intent has {shots + LEAST_PLAYED} labelled examples to calibrate by")
    margin = float(_MARGINS[int(np.mean(curves, axis=0).argmax())])
    return margin, _scale(np.concatenate(leads) - margin, np.concatenate(truth))


def _scale(leads: FloatArray, truth: npt.NDArray[np.bool_]) -> float:
    """Return the scale of the logistic of greatest likelihood; near the margin, where a probability matters."""
    near = np.abs(leads) < _NEAR
    signed = np.where(truth[near], leads[near], -leads[near]).astype(np.float64)
    losses = [float(np.logaddexp(0.0, -signed / scale).mean()) for scale in _SCALES] if near.any() else [0.0]
    return float(_SCALES[int(np.argmin(losses))])


def _revised(own: Labels, intent: str, probability: float) -> Labels:
    return replace(
        own,
        intent=LabelConfidence(label=intent, confidence=probability),
        alternatives=(own.intent, *own.alternatives[:2]),
        provisional=True,
    )
