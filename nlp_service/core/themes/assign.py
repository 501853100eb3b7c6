"""Which theme a message belongs to: the nearest one above that theme's own threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import IntArray, closest
from nlp_service.core.themes.space import Space

ALTERNATIVES = 3  # themes named for one message at most


@dataclass(frozen=True, kw_only=True)
class Anchors:
    """The themes of one model, ready to be compared with."""

    space: Space
    ids: tuple[str, ...]  # (k,) theme of each anchor; a merged theme's anchor carries its successor
    centroids: FloatArray  # (k, d), unit norm, in the space
    thresholds: FloatArray  # (k,)

    @classmethod
    def of(cls, space: Space, anchors: Sequence[tuple[str, FloatArray, float]]) -> Anchors:
        """Build from (theme, centroid, threshold)."""
        size = len(space.origin)
        return cls(
            space=space,
            ids=tuple(key for key, _, _ in anchors),
            centroids=np.stack([centroid for _, centroid, _ in anchors]).astype(np.float32)
            if anchors
            else np.zeros((0, size), dtype=np.float32),
            thresholds=np.array([threshold for _, _, threshold in anchors], dtype=np.float32),
        )


def assign(embeddings: FloatArray, anchors: Anchors) -> tuple[IntArray, FloatArray]:
    """Return the anchor of each of n embeddings, -1 where none is near enough, and the cosine to the nearest."""
    if not anchors.ids:
        return np.full(len(embeddings), -1, dtype=np.int64), np.zeros(len(embeddings), dtype=np.float32)
    nearest, cosine = closest(anchors.space.place(embeddings), anchors.centroids)
    return np.where(cosine >= anchors.thresholds[nearest], nearest, -1), cosine


def themes_of(embedding: FloatArray, anchors: Anchors) -> list[tuple[str, float]]:
    """Return the themes of one embedding (d,) with their cosines, nearest first; empty where none is near enough."""
    if not anchors.ids:
        return []
    moved = embedding - anchors.space.origin
    cosine = anchors.centroids @ (moved / max(float(np.linalg.norm(moved)), 1e-9))
    near = np.flatnonzero(cosine >= anchors.thresholds)
    ranked = near[np.argsort(-cosine[near], kind="stable")]
    best: dict[str, float] = {}
    for index in ranked:
        best.setdefault(anchors.ids[index], float(cosine[index]))
    return list(best.items())[:ALTERNATIVES]
