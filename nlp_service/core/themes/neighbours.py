"""Nearest neighbours of unit vectors by cosine: exact while that is cheap, by cells of a coarse quantiser beyond."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_service.core.labelling import FloatArray

EXACT_LIMIT = 20_000  # rows up to which every pair is compared
PROBES = 8  # cells that a row's neighbours are looked for in; measured recall in benchmarks/themes.py
_BLOCK = 2048
_SAMPLE_PER_CELL = 40
_ROUNDS = 6

IntArray = npt.NDArray[np.int64]


def nearest(x: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    """Return the k nearest other rows of each row of x (n, d), unit norm: indices (n, k) and cosines, descending.

    Above EXACT_LIMIT rows some neighbours may be missed; a place that could not be filled repeats the row itself
    with cosine 0.
    """
    n = len(x)
    k = min(k, n - 1)
    if k < 1:
        return np.zeros((n, 0), dtype=np.int64), np.zeros((n, 0), dtype=np.float32)
    if n <= EXACT_LIMIT:
        return _exact(x, k)
    return _by_cells(x, k)


def quantise(x: FloatArray, cells: int, *, rounds: int = _ROUNDS) -> FloatArray:
    """Return ``cells`` unit centroids of x by spherical k-means, started from evenly spaced rows."""
    step = max(1, len(x) // (cells * _SAMPLE_PER_CELL))
    sample = x[::step]
    centroids = sample[np.linspace(0, len(sample) - 1, cells).astype(np.int64)].copy()
    for _ in range(rounds):
        owner = closest(sample, centroids)[0]
        sums = np.zeros_like(centroids)
        np.add.at(sums, owner, sample)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        centroids = np.where(norms > 1e-9, sums / np.maximum(norms, 1e-9), centroids).astype(np.float32)
    return centroids


def closest(x: FloatArray, centroids: FloatArray) -> tuple[IntArray, FloatArray]:
    """Return the index of the closest centroid of each row and the cosine to it."""
    owner = np.empty(len(x), dtype=np.int64)
    cosine = np.empty(len(x), dtype=np.float32)
    for start in range(0, len(x), _BLOCK):
        block = x[start : start + _BLOCK] @ centroids.T
        best = block.argmax(axis=1)
        owner[start : start + len(best)] = best
        cosine[start : start + len(best)] = block[np.arange(len(best)), best]
    return owner, cosine


def _exact(x: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    indices = np.empty((len(x), k), dtype=np.int64)
    cosines = np.empty((len(x), k), dtype=np.float32)
    for start in range(0, len(x), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(x)))
        block = x[rows] @ x.T
        block[np.arange(len(rows)), rows] = -np.inf
        indices[rows], cosines[rows] = _top(block, k)
    return indices, cosines


def _by_cells(x: FloatArray, k: int) -> tuple[IntArray, FloatArray]:
    cells = int(2 * np.sqrt(len(x)))
    centroids = quantise(x, cells)
    owner, _ = closest(x, centroids)
    by_cell = np.argsort(owner, kind="stable")
    bounds = np.searchsorted(owner[by_cell], np.arange(cells + 1))
    members = [by_cell[bounds[cell] : bounds[cell + 1]] for cell in range(cells)]
    probed, _ = _top(centroids @ centroids.T, min(PROBES, cells))
    indices = np.repeat(np.arange(len(x))[:, None], k, axis=1)
    cosines = np.zeros((len(x), k), dtype=np.float32)
    for cell, rows in enumerate(members):
        if len(rows) == 0:
            continue
        candidates = np.sort(np.concatenate([members[other] for other in probed[cell]]))
        found = x[candidates]
        for start in range(0, len(rows), _BLOCK):
            part = rows[start : start + _BLOCK]
            block = x[part] @ found.T
            block[np.arange(len(part)), np.searchsorted(candidates, part)] = -np.inf
            width = min(k, len(candidates) - 1)
            if width < 1:
                continue
            best, value = _top(block, width)
            indices[part, :width] = candidates[best]
            cosines[part, :width] = value
    return indices, cosines


def _top(block: npt.NDArray[Any], k: int) -> tuple[IntArray, FloatArray]:
    """Return the k greatest of each row, descending; equal values in ascending index."""
    if k < block.shape[1]:
        picked = np.sort(np.argpartition(-block, k - 1, axis=1)[:, :k], axis=1)
    else:
        picked = np.repeat(np.arange(block.shape[1])[None, :], len(block), axis=0)
    values = np.take_along_axis(block, picked, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(picked, order, axis=1), np.take_along_axis(values, order, axis=1)
