"""The space that themes are compared in: embeddings of one model, moved so that the average message is the origin.

Sentence encoders place all text in a narrow cone (any two messages have a cosine near 0.8); without the common
direction, cosines tell matters apart and one threshold means the same for long and short text.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nlp_service.core.labelling import FloatArray

PRINCIPAL = 64  # directions kept where there are too many messages to compare all of them in full


@dataclass(frozen=True, kw_only=True)
class Space:
    """The origin of one model's embeddings; kept as long as that model is served."""

    origin: FloatArray  # (d,)

    @classmethod
    def of(cls, embeddings: FloatArray) -> Space:
        """Take the mean of embeddings (n, d) as origin."""
        return cls(origin=embeddings.mean(axis=0, dtype=np.float64).astype(np.float32))

    def place(self, embeddings: FloatArray) -> FloatArray:
        """Return embeddings (n, d) relative to the origin, unit norm; a message at the origin stays zero."""
        return unit(embeddings - self.origin)


def unit(vectors: FloatArray) -> FloatArray:
    """Return the rows scaled to norm 1; rows of zeros stay."""
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), dtype=np.float32)


def principal(placed: FloatArray, dimensions: int = PRINCIPAL) -> FloatArray:
    """Project placed rows (n, d) on their main directions, unit norm; signs are fixed by the largest entry."""
    if placed.shape[1] <= dimensions:
        return placed
    covariance = (placed.T @ placed).astype(np.float64)
    _, vectors = np.linalg.eigh(covariance)
    basis = vectors[:, ::-1][:, :dimensions]
    signs = np.sign(basis[np.abs(basis).argmax(axis=0), np.arange(dimensions)])
    return unit(placed @ (basis * signs).astype(np.float32))
