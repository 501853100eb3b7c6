"""Find themes among embeddings: neighbour graph, small dense groups, and their merging by likeness.

1. Embeddings are placed around their mean and cut to their main directions (``space``).
2. A graph joins each message to its nearest neighbours; an edge weighs as much as the two share neighbours
   (Jarvis and Patrick 1973), so that a chance resemblance counts for little.
3. Louvain communities (Blondel et al. 2008) at a fine resolution give groups of about ten. (The Leiden of the same
   library draws from an unseeded generator: two runs differ; at this resolution both score alike.)
4. Groups merge by average linkage of their centroids, after smoothing over the graph, up to MERGE_DISTANCE.
5. Themes need enough distinct messages; each gets its own threshold, messages closer to none than by chance or
   far from its members stay out with a reason, and messages of groups that were too small may still join a theme
   that is near enough.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy  # its parts are imported when first used

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import EXACT_LIMIT, IntArray, closest, nearest
from nlp_service.core.themes.space import Space, principal, unit
from nlp_service.core.themes.thresholds import calibrate_thresholds, chance_level, outer_fences

NEIGHBOURS = 10
MERGE_DISTANCE = 0.25  # cosine distance of smoothed centroids; measured on five labelled sets, see benchmarks/themes.py
SUB_DISTANCE = 0.55  # a sub-theme's cut, as a part of MERGE_DISTANCE
MAX_GROUPS = 8_000  # linkage needs their square in memory
_GROUP = 40  # resolution n / _GROUP gives groups of about ten messages
_SMOOTHING = 4
TOO_FEW_ALIKE = "too_few_alike"  # no theme-sized number of messages says this
FAR_FROM_ANY = "far_from_any"  # no nearer to a theme than unrelated messages are, or far from all its members


@dataclass(frozen=True, kw_only=True)
class Options:
    least_messages: int = 5  # messages, by weight, that make a theme
    merge_distance: float = MERGE_DISTANCE
    neighbours: int = NEIGHBOURS
    chance: float = 0.95  # a member is closer to its theme than this share of unrelated messages
    sub_least: int = 60  # distinct messages from which sub-themes are looked for
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Cluster:
    members: IntArray  # rows of the input, closest to the centroid first
    similarities: FloatArray  # of the members, cosine to the centroid in the space
    centroid: FloatArray  # (d,), unit norm, in the space
    threshold: float  # cosine from which a further message belongs
    parts: tuple[IntArray, ...] = ()  # rows of the sub-themes, largest first; members of none stay with the theme


@dataclass(frozen=True, kw_only=True)
class Discovery:
    space: Space
    clusters: tuple[Cluster, ...]  # largest first
    outliers: Mapping[str, IntArray] = field(default_factory=dict)  # reason -> rows

    def labels(self, n: int) -> IntArray:
        """Return the cluster of each of the n rows, -1 for those in none."""
        labels = np.full(n, -1, dtype=np.int64)
        for index, cluster in enumerate(self.clusters):
            labels[cluster.members] = index
        return labels


def discover(
    embeddings: FloatArray,
    *,
    weights: FloatArray | None = None,
    options: Options | None = None,
    space: Space | None = None,
) -> Discovery:
    """Group messages that say the same.

    Args:
        embeddings: float32 (n, d), unit norm, one row per distinct message.
        weights: (n,) how many messages each row stands for; ones by default.
        options: sizes and distances.
        space: the model's space where one is kept; else the mean of the rows is its origin.

    The result is the same for every order of the rows.
    """
    options = options or Options()
    order = _canonical(embeddings)
    rows = np.ascontiguousarray(embeddings[order], dtype=np.float32)
    space = space or (Space.of(rows) if len(rows) else Space(origin=np.zeros(embeddings.shape[1], dtype=np.float32)))
    if len(rows) < max(3, options.least_messages):
        return Discovery(space=space, clusters=(), outliers={TOO_FEW_ALIKE: order} if len(rows) else {})
    weight = np.ones(len(rows), dtype=np.float32) if weights is None else np.asarray(weights, dtype=np.float32)[order]
    placed = space.place(rows)
    # Identical rows are interchangeable: they are grouped as one, or their order could decide where each goes.
    first = np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)])
    twin = np.cumsum(first) - 1
    labels, fine = _partition(placed[first], options)
    return _themes(placed, labels[twin], fine[twin], weight, order, space, options)


def _canonical(embeddings: FloatArray) -> IntArray:
    """Return an order of the rows that depends on their values alone."""
    if not len(embeddings):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(embeddings[:, :8].T)
    keys = embeddings[order, :8]
    if (keys[1:] == keys[:-1]).all(axis=1).any():  # the rest of the row decides among equals
        order = np.lexsort(embeddings.T)
    return order.astype(np.int64)


def _partition(placed: FloatArray, options: Options) -> tuple[IntArray, IntArray]:
    """Return the merged group of each row and its finer part."""
    reduced = placed if len(placed) <= EXACT_LIMIT else principal(placed)
    # Among few messages ten neighbours would reach across matters.
    indices, cosines = nearest(reduced, min(options.neighbours, max(3, math.isqrt(len(reduced)) // 2)))
    groups = _communities(_shared_neighbours(indices), options.seed)
    smoothed = _smooth(reduced, indices, cosines)
    return _merge(smoothed, groups, (options.merge_distance, SUB_DISTANCE * options.merge_distance))


def _shared_neighbours(indices: IntArray) -> scipy.sparse.csr_matrix:
    """Return the symmetric graph of neighbours; an edge weighs the Jaccard likeness of the two neighbourhoods."""
    n, k = indices.shape
    own = np.concatenate([np.arange(n)[:, None], indices], axis=1)
    weights = np.empty((n, k), dtype=np.float32)
    step = max(1, 4_000_000 // (k * (k + 1) * (k + 1)))
    for start in range(0, n, step):
        mine = own[start : start + step]
        theirs = own[indices[start : start + step]]  # (rows, k, k + 1)
        shared = (mine[:, None, :, None] == theirs[:, :, None, :]).any(axis=3).sum(axis=2)
        weights[start : start + step] = shared / (2.0 * (k + 1) - shared)
    pointers = np.arange(0, n * k + 1, k)
    graph = scipy.sparse.csr_matrix((weights.ravel(), indices.ravel().astype(np.int32), pointers), shape=(n, n))
    graph.sum_duplicates()
    graph.setdiag(0)
    graph.eliminate_zeros()
    return scipy.sparse.csr_matrix(graph.maximum(graph.T))


def _communities(graph: scipy.sparse.csr_matrix, seed: int) -> IntArray:
    """Return the community of each row, numbered by first appearance."""
    from sknetwork.clustering import Louvain

    resolution = max(graph.shape[0] / _GROUP, math.sqrt(graph.shape[0]) / 2)
    while True:
        found: Any = Louvain(resolution=resolution, random_state=seed, sort_clusters=False).fit_predict(graph)
        if found.max() < MAX_GROUPS or resolution < 1:
            return _renumber(np.asarray(found, dtype=np.int64))
        resolution /= 2


def _renumber(labels: IntArray) -> IntArray:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _smooth(x: FloatArray, indices: IntArray, cosines: FloatArray) -> FloatArray:
    """Move each row half-way to the mean of its neighbours, a few times."""
    n, k = indices.shape
    graph = scipy.sparse.csr_matrix(
        (np.maximum(cosines, 0).ravel(), indices.ravel().astype(np.int32), np.arange(0, n * k + 1, k)), shape=(n, n)
    )
    graph = scipy.sparse.csr_matrix(graph.maximum(graph.T))
    scale = scipy.sparse.diags(1.0 / np.maximum(np.asarray(graph.sum(axis=1)).ravel(), 1e-9).astype(np.float32))
    step = scipy.sparse.csr_matrix(scale @ graph)
    for _ in range(_SMOOTHING):
        x = unit(0.5 * x + 0.5 * (step @ x))
    return x


def _merge(x: FloatArray, groups: IntArray, distances: tuple[float, float]) -> tuple[IntArray, IntArray]:
    """Cut the tree of the groups' centroids at two distances; return the group of each row at each."""
    centroids = _centroids(x, groups, np.ones(len(x), dtype=np.float32), int(groups.max()) + 1)
    if len(centroids) < 2:
        return groups, groups
    tree = scipy.cluster.hierarchy.linkage(centroids, "average", metric="cosine")
    cut_at = scipy.cluster.hierarchy.fcluster
    coarse, fine = (cut_at(np.clip(tree, 0, None), t=cut, criterion="distance")[groups] for cut in distances)
    return _renumber(coarse.astype(np.int64)), _renumber(fine.astype(np.int64))


def _centroids(x: FloatArray, labels: IntArray, weights: FloatArray, groups: int) -> FloatArray:
    """Unit centroids (groups, d) of the rows with a label; rows labelled -1 are left out."""
    kept = labels >= 0
    membership = scipy.sparse.csr_matrix(
        (weights[kept], (labels[kept], np.flatnonzero(kept))), shape=(groups, len(x)), dtype=np.float32
    )
    return unit(np.asarray(membership @ x, dtype=np.float32))


def _themes(
    placed: FloatArray,
    labels: IntArray,
    fine: IntArray,
    weights: FloatArray,
    order: IntArray,
    space: Space,
    options: Options,
) -> Discovery:
    sizes = np.bincount(labels, weights=weights)
    big = np.flatnonzero(sizes >= options.least_messages)
    if len(big) == 0:
        return Discovery(space=space, clusters=(), outliers={TOO_FEW_ALIKE: order})
    number = np.full(len(sizes), -1, dtype=np.int64)
    number[big] = np.arange(len(big))
    labels = number[labels]
    centroids = _centroids(placed, labels, weights, len(big))
    floor = chance_level(placed, labels, centroids, options.chance)
    labels, reasons = _settle(placed, labels, centroids, weights, floor, options)
    centroids = _centroids(placed, labels, weights, len(big))
    present = np.bincount(labels[labels >= 0], minlength=len(centroids)) > 0
    thresholds = calibrate_thresholds(placed, labels, centroids, floor)
    by_theme = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[by_theme], np.arange(len(centroids) + 1))
    clusters = []
    for index in np.flatnonzero(present):
        rows = by_theme[bounds[index] : bounds[index + 1]]
        similarities = placed[rows] @ centroids[index]
        ranked = np.argsort(-similarities, kind="stable")
        clusters.append(
            Cluster(
                members=order[rows[ranked]],
                similarities=similarities[ranked],
                centroid=centroids[index],
                threshold=float(thresholds[index]),
                parts=tuple(order[part] for part in _parts(rows, fine, options)),
            )
        )
    clusters.sort(key=lambda cluster: (-len(cluster.members), cluster.centroid.tobytes()))
    outliers = {reason: order[np.sort(rows)] for reason, rows in reasons.items() if len(rows)}
    return Discovery(space=space, clusters=tuple(clusters), outliers=outliers)


def _settle(
    placed: FloatArray, labels: IntArray, centroids: FloatArray, weights: FloatArray, floor: float, options: Options
) -> tuple[IntArray, dict[str, IntArray]]:
    """Release members that are no closer than chance, adopt the homeless that are near, drop what became too small."""
    homeless = labels < 0
    member = np.flatnonzero(~homeless)
    own = np.einsum("ij,ij->i", placed[member], centroids[labels[member]])
    thresholds = calibrate_thresholds(placed, labels, centroids, floor)
    settled = labels.copy()
    fences = np.maximum(outer_fences(labels[member], own, len(centroids)), np.float32(floor))
    settled[member[own < fences[labels[member]]]] = -1
    thresholds = np.maximum(thresholds, fences)
    free = np.flatnonzero(settled < 0)
    if len(free):
        nearest_theme, cosine = closest(placed[free], centroids)
        adopted = cosine >= thresholds[nearest_theme]
        settled[free[adopted]] = nearest_theme[adopted]
    kept = settled >= 0
    sizes = np.bincount(settled[kept], weights=weights[kept], minlength=len(centroids))
    shrunk = np.isin(settled, np.flatnonzero(sizes < options.least_messages)) & (settled >= 0)
    settled[shrunk] = -1
    out = settled < 0
    few = out & (homeless | shrunk)
    return settled, {TOO_FEW_ALIKE: np.flatnonzero(few), FAR_FROM_ANY: np.flatnonzero(out & ~few)}


def _parts(rows: IntArray, fine: IntArray, options: Options) -> list[IntArray]:
    """Return the sub-themes of a large, mixed theme: at least two parts with a tenth of it each."""
    if len(rows) < options.sub_least:
        return []
    values, counts = np.unique(fine[rows], return_counts=True)
    least = max(options.least_messages * 2, len(rows) // 10)
    large = sorted((int(count), int(value)) for value, count in zip(values, counts, strict=True) if count >= least)[
        ::-1
    ]
    return [rows[fine[rows] == value] for _, value in large] if len(large) > 1 else []
