"""Discovery finds planted groups, forces nobody, and does not depend on the order of the messages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.discover import Options, _parts, discover
from nlp_service.core.themes.neighbours import nearest
from nlp_service.core.themes.partition import _hold
from nlp_service.core.themes.space import unit


def planted(seed: int, groups: int, size: int, noise: int, spread: float = 0.6) -> tuple[FloatArray, np.ndarray]:
    """Groups in a narrow cone, as sentence encoders have it, and messages that resemble nothing."""
    random = np.random.default_rng(seed)
    cone = 3 * unit(random.standard_normal((1, 64)))
    centres = unit(random.standard_normal((groups, 64)))
    rows = [unit(centre + spread * unit(random.standard_normal((size, 64)))) for centre in centres]
    rows.append(unit(random.standard_normal((noise, 64))))
    labels = np.concatenate([np.repeat(np.arange(groups), size), np.full(noise, -1)])
    return unit(np.concatenate(rows) + cone), labels


def test_planted_groups_are_found_and_strangers_left_out() -> None:
    embeddings, truth = planted(1, groups=8, size=30, noise=60)

    found = discover(embeddings).labels(len(embeddings))

    for group in range(8):
        own = found[truth == group]
        values, counts = np.unique(own[own >= 0], return_counts=True)
        main = values[counts.argmax()]
        assert (own == main).mean() > 0.9
        assert (truth[found == main] == group).mean() > 0.9


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_the_messages_changes_nothing(seed: int) -> None:
    embeddings, _ = planted(seed, groups=5, size=20, noise=30)
    embeddings[3] = embeddings[50]  # the same text twice
    order = np.random.default_rng(seed).permutation(len(embeddings))

    assert (discover(embeddings).labels(len(order))[order] == discover(embeddings[order]).labels(len(order))).all()


@settings(max_examples=15, deadline=None)
@given(n=st.integers(0, 40), seed=st.integers(0, 99))
def test_every_message_is_in_one_theme_or_out_for_one_reason(n: int, seed: int) -> None:
    embeddings = unit(np.random.default_rng(seed).standard_normal((n, 16)).astype(np.float32))

    found = discover(embeddings, options=Options(least_messages=4))

    rows = [cluster.members for cluster in found.clusters] + list(found.outliers.values())
    assert sorted(np.concatenate(rows).tolist() if rows else []) == list(range(n))
    assert all(len(cluster.members) >= 4 for cluster in found.clusters)


def test_a_large_mixed_theme_shows_its_parts() -> None:
    rows = np.arange(200)
    fine = np.repeat([0, 1, 2], [120, 75, 5])  # the finer cut: two parts worth naming and a remainder

    assert [len(part) for part in _parts(rows, fine, Options())] == [120, 75]
    assert _parts(rows, np.repeat([0, 1], [195, 5]), Options()) == []
    assert _parts(rows[:40], fine[:40], Options()) == []


def test_neighbours_by_cells_are_nearly_all_the_exact_ones() -> None:
    embeddings, _ = planted(5, groups=60, size=60, noise=400)
    from nlp_service.core.themes.neighbours import _by_cells

    exact, _ = nearest(embeddings, 10)
    approximate, cosines = _by_cells(embeddings, 10)

    recall = np.mean([len(np.intersect1d(a, b)) / 10 for a, b in zip(exact, approximate, strict=True)])
    assert recall > 0.8
    assert (np.diff(cosines, axis=1) <= 1e-6).all()


def test_themes_are_found_in_a_sample_and_the_others_assigned() -> None:
    embeddings, truth = planted(4, groups=8, size=60, noise=120)

    found = discover(embeddings, options=Options(sample=250))

    rows = [cluster.members for cluster in found.clusters] + list(found.outliers.values())
    assert sorted(np.concatenate(rows).tolist()) == list(range(len(embeddings)))
    labels = found.labels(len(embeddings))
    for group in range(8):
        own = labels[truth == group]
        values, counts = np.unique(own[own >= 0], return_counts=True)
        assert counts.max() / len(own) > 0.8
        assert (truth[labels == values[counts.argmax()]] == group).mean() > 0.9
    order = np.random.default_rng(1).permutation(len(embeddings))
    again = discover(embeddings[order], options=Options(sample=250)).labels(len(order))
    assert (labels[order] == again).all()


def test_what_stood_before_is_held_together_and_apart() -> None:
    distances = np.array([0.4, 0.2, 0.3, 0.2, 0.3, 0.3])  # pairs 01 02 03 12 13 23
    _hold(distances, np.array([0, 0, 1, -1]), 0.5)  # 0 and 1 were one theme, 2 another, 3 none

    assert distances.tolist() == pytest.approx([0.2, 0.3, 0.3, 0.3, 0.3, 0.3])


def test_a_theme_that_stood_goes_on_with_fewer_messages() -> None:
    embeddings, truth = planted(8, groups=6, size=30, noise=0)
    few = np.concatenate([np.flatnonzero(truth == 0)[:4], np.flatnonzero(truth > 0)])
    standing = np.where(truth == 0, 0, -1)[few]

    def found(standing: np.ndarray | None) -> bool:
        labels = discover(embeddings[few], standing=standing).labels(len(few))
        return bool((labels[:4] >= 0).any() and not np.isin(labels[:4][labels[:4] >= 0], labels[4:]).any())

    assert not found(None)
    assert found(standing)


def test_a_new_matter_is_found_beside_those_that_stand() -> None:
    embeddings, truth = planted(7, groups=6, size=30, noise=30)
    standing = np.where(truth == 5, -1, truth)

    labels = discover(embeddings, standing=standing).labels(len(truth))

    new = np.bincount(labels[(truth == 5) & (labels >= 0)]).argmax()
    assert (truth[labels == new] == 5).mean() > 0.9
