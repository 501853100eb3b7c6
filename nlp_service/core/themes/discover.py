"""Find themes among embeddings.

1. Embeddings are placed around their mean and cut to their main directions (``space``).
2. They are parted into groups that say the same (``partition``).
3. Themes need enough distinct messages; each gets its own threshold, messages closer to none than by chance or
   far from its members stay out with a reason, and messages of groups that were too small may still join a theme
   that is near enough.
4. Of more messages than ``Options.sample``, themes are found in a sample, the others are assigned by the rule that
   serves online, and what nobody took is searched once more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy  # its parts are imported when first used

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import IntArray, closest
from nlp_service.core.themes.partition import centroids_of, partition
from nlp_service.core.themes.space import Space
from nlp_service.core.themes.thresholds import calibrate_thresholds, chance_level, outer_fences

NEIGHBOURS = 10
MERGE_DISTANCE = 0.25  # cosine distance of smoothed centroids; measured on five labelled sets, see benchmarks/themes.py
HOLD = 0.3  # by how much standing themes are held together and apart; measured in benchmarks/themes.py
SAMPLE = 120_000  # half a minute of one core; the memory of a run grows with it, not with the messages
_ROUNDS = 2
_BLOCK = 50_000
TOO_FEW_ALIKE = "too_few_alike"  # no theme-sized number of messages says this
FAR_FROM_ANY = "far_from_any"  # no nearer to a theme than unrelated messages are, or far from all its members


@dataclass(frozen=True, kw_only=True)
class Options:
    least_messages: int = 5  # messages, by weight, that make a theme
    least_standing: int = 3  # and that keep one which was there before
    merge_distance: float = MERGE_DISTANCE
    neighbours: int = NEIGHBOURS
    hold: float = HOLD  # 0 forgets what stood before; towards 1 nothing moves any more
    chance: float = 0.95  # a member is closer to its theme than this share of unrelated messages
    sub_least: int = 60  # distinct messages from which sub-themes are looked for
    sample: int = SAMPLE  # messages that are compared with one another at most
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
    standing: IntArray | None = None,
) -> Discovery:
    """Group messages that say the same.

    Args:
        embeddings: float32 (n, d), unit norm, one row per distinct message.
        weights: (n,) how many messages each row stands for; ones by default.
        options: sizes and distances.
        space: the model's space where one is kept; else the mean of the rows is its origin.
        standing: (n,) number of the theme that a row belonged to until now, -1 for none; none by default.

    The result is the same for every order of the rows.
    """
    options = options or Options()
    order = _canonical(embeddings)
    space = space or _space(embeddings, _evenly(order, options.sample))
    weight = np.ones(len(order), dtype=np.float32) if weights is None else np.asarray(weights, dtype=np.float32)
    before = np.full(len(order), -1, dtype=np.int64) if standing is None else np.asarray(standing, dtype=np.int64)
    if len(order) <= options.sample:
        return _among(embeddings, order, weight, before, space, options)
    return _sampled(embeddings, order, weight, before, space, options)


def _space(embeddings: FloatArray, rows: IntArray) -> Space:
    return Space.of(embeddings[rows]) if len(rows) else Space(origin=np.zeros(embeddings.shape[1], dtype=np.float32))


def _evenly(order: IntArray, sample: int) -> IntArray:
    """Take rows evenly along their canonical order: as good as drawn, and the same for every order of the input."""
    return order if len(order) <= sample else order[np.linspace(0, len(order) - 1, sample).astype(np.int64)]


def _among(
    embeddings: FloatArray,
    order: IntArray,
    weights: FloatArray,
    standing: IntArray,
    space: Space,
    options: Options,
) -> Discovery:
    """Find the themes of these rows of the input, all compared with one another."""
    if len(order) < max(3, options.least_messages):
        return Discovery(space=space, clusters=(), outliers={TOO_FEW_ALIKE: order} if len(order) else {})
    rows = np.ascontiguousarray(embeddings[order], dtype=np.float32)
    placed = space.place(rows)
    # Identical rows are interchangeable: they are grouped as one, or their order could decide where each goes.
    first = np.concatenate([[True], (rows[1:] != rows[:-1]).any(axis=1)])
    twin = np.cumsum(first) - 1
    before = np.full(int(first.sum()), -1, dtype=np.int64)
    np.maximum.at(before, twin, standing[order])
    labels, fine = partition(
        placed[first],
        before,
        neighbours=options.neighbours,
        merge_distance=options.merge_distance,
        hold=options.hold,
        seed=options.seed,
    )
    return _themes(placed, labels[twin], fine[twin], before[twin], weights[order], order, space, options)


def _sampled(
    embeddings: FloatArray,
    order: IntArray,
    weights: FloatArray,
    standing: IntArray,
    space: Space,
    options: Options,
) -> Discovery:
    """Find themes in a sample, assign the others to them, and search once more among those that nobody took."""
    clusters: list[Cluster] = []
    reasons: dict[str, IntArray] = {}
    left = order
    for _ in range(_ROUNDS):
        chosen = _evenly(left, options.sample)
        found = _among(embeddings, chosen, weights, standing, space, options)
        clusters = _folded(clusters, found.clusters)
        rest = left[~np.isin(left, chosen)]
        owner, cosine = _nearest_themes(embeddings, rest, space, clusters)
        by_theme = np.argsort(owner, kind="stable")
        bounds = np.searchsorted(owner[by_theme], np.arange(len(clusters) + 1))
        for index, cluster in enumerate(clusters):
            own = by_theme[bounds[index] : bounds[index + 1]]
            clusters[index] = _grown(cluster, rest[own], cosine[own])
        reasons = dict(found.outliers)
        reasons[FAR_FROM_ANY] = np.concatenate([reasons.get(FAR_FROM_ANY, order[:0]), rest[owner < 0]])
        left = order[np.isin(order, np.concatenate(list(reasons.values())))]
        if len(left) < options.least_messages:
            break
    clusters.sort(key=lambda cluster: (-len(cluster.members), cluster.centroid.tobytes()))
    return Discovery(
        space=space, clusters=tuple(clusters), outliers={k: rows for k, rows in reasons.items() if len(rows)}
    )


def _nearest_themes(
    embeddings: FloatArray, rows: IntArray, space: Space, clusters: Sequence[Cluster]
) -> tuple[IntArray, FloatArray]:
    """Return the theme of each row, -1 where none is near enough, and the cosine; placed in blocks to spare memory."""
    owner, cosine = np.full(len(rows), -1, dtype=np.int64), np.zeros(len(rows), dtype=np.float32)
    if not clusters:
        return owner, cosine
    centroids = np.stack([cluster.centroid for cluster in clusters])
    thresholds = np.array([cluster.threshold for cluster in clusters], dtype=np.float32)
    for start in range(0, len(rows), _BLOCK):
        part = slice(start, start + _BLOCK)
        near, cosine[part] = closest(space.place(embeddings[rows[part]]), centroids)
        owner[part] = np.where(cosine[part] >= thresholds[near], near, -1)
    return owner, cosine


def _folded(clusters: Sequence[Cluster], further: Sequence[Cluster]) -> list[Cluster]:
    """Add themes of a further search; one whose centre lies inside a theme was its fringe and goes over to it."""
    if not clusters:
        return list(further)
    merged = list(clusters)
    for cluster in further:
        cosines = np.array([other.centroid @ cluster.centroid for other in clusters])
        index = int(cosines.argmax())
        if cosines[index] < clusters[index].threshold:
            merged.append(cluster)
        else:
            merged[index] = _grown(merged[index], cluster.members, cluster.similarities)
    return merged


def _grown(cluster: Cluster, rows: IntArray, cosines: FloatArray) -> Cluster:
    """Add members to a theme, closest first."""
    if not len(rows):
        return cluster
    members, similarities = np.concatenate([cluster.members, rows]), np.concatenate([cluster.similarities, cosines])
    ranked = np.argsort(-similarities, kind="stable")
    return replace(cluster, members=members[ranked], similarities=similarities[ranked])


def _canonical(embeddings: FloatArray) -> IntArray:
    """Return an order of the rows that depends on their values alone."""
    if not len(embeddings):
        return np.zeros(0, dtype=np.int64)
    order = np.lexsort(embeddings[:, :8].T)
    keys = embeddings[order, :8]
    if (keys[1:] == keys[:-1]).all(axis=1).any():  # the rest of the row decides among equals
        order = np.lexsort(embeddings.T)
    return order.astype(np.int64)


def _themes(
    placed: FloatArray,
    labels: IntArray,
    fine: IntArray,
    standing: IntArray,
    weights: FloatArray,
    order: IntArray,
    space: Space,
    options: Options,
) -> Discovery:
    sizes = np.bincount(labels, weights=weights)
    least = _least(labels, standing, options)
    big = np.flatnonzero(sizes >= least)
    if len(big) == 0:
        return Discovery(space=space, clusters=(), outliers={TOO_FEW_ALIKE: order})
    number = np.full(len(sizes), -1, dtype=np.int64)
    number[big] = np.arange(len(big))
    labels = number[labels]
    centroids = centroids_of(placed, labels, weights, len(big))
    floor = chance_level(placed, labels, centroids, options.chance)
    labels, reasons = _settle(placed, labels, centroids, weights, floor, least[big])
    centroids = centroids_of(placed, labels, weights, len(big))
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


def _least(labels: IntArray, standing: IntArray, options: Options) -> IntArray:
    """Return how many messages each group needs: what stood before goes on with fewer than what is new.

    Of several groups that a standing theme fell into, only the one with most of its messages is the theme.
    """
    least = np.full(int(labels.max()) + 1, options.least_messages)
    owned = standing >= 0
    if owned.any():
        shared = scipy.sparse.csc_matrix((np.ones(owned.sum()), (labels[owned], standing[owned])))
        least[np.asarray(shared.argmax(axis=0)).ravel()[np.unique(standing[owned])]] = options.least_standing
    return least


def _settle(
    placed: FloatArray, labels: IntArray, centroids: FloatArray, weights: FloatArray, floor: float, least: IntArray
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
    shrunk = np.isin(settled, np.flatnonzero(sizes < least)) & (settled >= 0)
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
