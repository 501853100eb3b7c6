"""Part messages into groups that say the same: neighbour graph, small dense communities, and their merging by likeness.

1. A graph joins each message to its nearest neighbours; an edge weighs as much as the two share neighbours
   (Jarvis and Patrick 1973), so that a chance resemblance counts for little.
2. Louvain communities (Blondel et al. 2008) at a fine resolution give groups of about ten. (The Leiden of the same
   library draws from an unseeded generator: two runs differ; at this resolution both score alike.)
3. Groups merge by average linkage of their centroids, after smoothing over the graph, up to MERGE_DISTANCE; what
   stood before is held together and apart.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy  # its parts are imported when first used

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import EXACT_LIMIT, IntArray, nearest
from nlp_service.core.themes.space import principal, unit

SUB_DISTANCE = 0.55  # a sub-theme's cut, as a part of the merge distance
MAX_GROUPS = 8_000  # linkage needs their square in memory
_GROUP = 40  # resolution n / _GROUP gives groups of about ten messages
_SMOOTHING = 4


def partition(
    placed: FloatArray, standing: IntArray, *, neighbours: int, merge_distance: float, hold: float, seed: int
) -> tuple[IntArray, IntArray]:
    """Return the merged group of each row and its finer part.

    Args:
        placed: (n, d), unit norm, in the space; no two rows alike.
        standing: (n,) theme that a row belonged to, -1 for none.
        neighbours: of each row in the graph.
        merge_distance: cosine distance of smoothed centroids up to which groups are one.
        hold: by how much distances within a standing theme shrink, and those between two of them grow.
        seed: of the communities.
    """
    reduced = placed if len(placed) <= EXACT_LIMIT else principal(placed)
    # Among few messages ten neighbours would reach across matters.
    indices, cosines = nearest(reduced, min(neighbours, max(3, math.isqrt(len(reduced)) // 2)))
    groups, owners = _communities(_shared_neighbours(indices), standing, seed)
    smoothed = _smooth(reduced, indices, cosines)
    return _merge(smoothed, groups, owners, merge_distance, hold)


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


def _communities(graph: scipy.sparse.csr_matrix, standing: IntArray, seed: int) -> tuple[IntArray, IntArray]:
    """Return the community of each row, numbered by first appearance, and the standing theme of each community.

    A community never holds messages of two standing themes: it is cut there. Messages of none go with the theme that
    most of their community belong to, if the community belongs to themes for half at least.
    """
    from sknetwork.clustering import Louvain

    resolution = max(graph.shape[0] / _GROUP, math.sqrt(graph.shape[0]) / 2)
    while True:
        found: Any = Louvain(resolution=resolution, random_state=seed, sort_clusters=False).fit_predict(graph)
        owner = _joined(np.asarray(found, dtype=np.int64), standing)
        groups = _renumber(np.asarray(found, dtype=np.int64) * (standing.max() + 2) + owner + 1)
        if groups.max() < MAX_GROUPS or resolution < 1:
            owners = np.empty(groups.max() + 1, dtype=np.int64)
            owners[groups] = owner
            return groups, owners
        resolution /= 2


def _joined(communities: IntArray, standing: IntArray) -> IntArray:
    """Return the standing theme of each row, rows of none given that of their community."""
    if standing.max() < 0:
        return standing
    counts = scipy.sparse.csr_matrix(
        (np.ones(len(standing), dtype=np.int64), (communities, standing + 1)),
        shape=(communities.max() + 1, standing.max() + 2),
    )
    nobody = np.asarray(counts[:, 0].todense()).ravel()
    owned = counts[:, 1:]
    theme = np.asarray(owned.argmax(axis=1)).ravel()
    held = np.asarray(owned.sum(axis=1)).ravel() >= np.maximum(nobody, 1)
    return np.where((standing < 0) & held[communities], theme[communities], standing)


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


def _merge(
    x: FloatArray, groups: IntArray, owners: IntArray, merge_distance: float, hold: float
) -> tuple[IntArray, IntArray]:
    """Cut the tree of the groups' centroids at two distances; return the group of each row at each.

    Groups of one standing theme are drawn together, those of different ones are held apart, so that a theme does not
    fall apart, or flow into its neighbour, for a difference that chance makes from one window to the next: the
    temporal smoothness of evolutionary clustering (Chakrabarti, Kumar and Tomkins 2006) as a factor on distances.
    """
    centroids = centroids_of(x, groups, np.ones(len(x), dtype=np.float32), int(groups.max()) + 1)
    if len(centroids) < 2:
        return groups, groups
    distances = scipy.spatial.distance.pdist(centroids, "cosine")
    _hold(distances, owners, hold)
    tree = scipy.cluster.hierarchy.linkage(distances, "average")
    cut_at = scipy.cluster.hierarchy.fcluster
    cuts = (merge_distance, SUB_DISTANCE * merge_distance)
    coarse, fine = (cut_at(np.clip(tree, 0, None), t=cut, criterion="distance")[groups] for cut in cuts)
    return _renumber(coarse.astype(np.int64)), _renumber(fine.astype(np.int64))


def _hold(distances: npt.NDArray[np.float64], owners: IntArray, hold: float) -> None:
    """Shorten the distances (condensed, in place) within a standing theme, lengthen those between two of them."""
    if hold == 0 or owners.max() < 0:
        return
    start = 0
    for row in range(len(owners) - 1):
        end = start + len(owners) - 1 - row
        if owners[row] >= 0:
            others = owners[row + 1 :]
            same, apart = others == owners[row], (others >= 0) & (others != owners[row])
            distances[start:end] *= np.where(same, 1 - hold, np.where(apart, 1 + hold, 1.0))
        start = end


def centroids_of(x: FloatArray, labels: IntArray, weights: FloatArray, groups: int) -> FloatArray:
    """Unit centroids (groups, d) of the rows with a label; rows labelled -1 are left out."""
    kept = labels >= 0
    membership = scipy.sparse.csr_matrix(
        (weights[kept], (labels[kept], np.flatnonzero(kept))), shape=(groups, len(x)), dtype=np.float32
    )
    return unit(np.asarray(membership @ x, dtype=np.float32))
