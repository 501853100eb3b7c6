"""Which theme of today is which of yesterday: identities through runs, windows and models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy  # its parts are imported when first used

from nlp_service.core.labelling import FloatArray

SAME = 0.35  # likeness from which two are the same theme
_MEMBERS, _CENTROID, _PHRASES = 0.5, 0.35, 0.15  # weights of the evidence
_CLOSE = 0.5  # centroid cosine in the space that counts as no evidence; 1.0 counts fully
_MERGED = 0.6  # share of a theme's messages found in another theme's group
_SPLIT = 0.25  # share of a theme's messages in a second group
_LEAST_SHARED = 5  # messages


@dataclass(frozen=True, kw_only=True)
class Known:
    """A theme as it was before the run."""

    id: str
    members: frozenset[str]  # messages of the window, as assigned until now
    centroid: FloatArray | None  # None where it lies in another model's space
    phrases: frozenset[str]
    kept: bool = False  # decided by a person: never merged away by a run


@dataclass(frozen=True, kw_only=True)
class Found:
    """A group of this run."""

    members: frozenset[str]
    centroid: FloatArray
    phrases: frozenset[str]


@dataclass(frozen=True, kw_only=True)
class Matching:
    identity: tuple[str | None, ...]  # of each found group; None is a new theme
    merges: Mapping[str, str]  # theme -> theme that took its messages over
    splits: Mapping[int, str]  # new group -> theme that it came out of


def match(known: Sequence[Known], found: Sequence[Found]) -> Matching:
    """Match groups to themes one to one so that the likeness is greatest in all (Kuhn 1955).

    Likeness weighs shared messages, nearness of the centroids and common key phrases; without a comparable centroid
    (another model) the other two carry all the weight.
    """
    identity: list[str | None] = [None] * len(found)
    likeness = _likeness(known, found)
    rows, columns = (
        scipy.optimize.linear_sum_assignment(-likeness) if likeness.size else (np.zeros(0, int), np.zeros(0, int))
    )
    for row, column in zip(rows, columns, strict=True):
        if likeness[row, column] >= SAME:
            identity[column] = known[row].id
    return Matching(
        identity=tuple(identity), merges=_merges(known, found, identity), splits=_splits(known, found, identity)
    )


def _likeness(known: Sequence[Known], found: Sequence[Found]) -> npt.NDArray[np.float64]:
    """Return (known, found) likeness from 0 to 1."""
    if not known or not found:
        return np.zeros((len(known), len(found)))
    shared = _shared(known, found)
    sizes = np.array([len(entry.members) for entry in known])[:, None]
    others = np.array([len(entry.members) for entry in found])[None, :]
    # Against the smaller of the two: a theme that doubled keeps its identity.
    members = shared / np.maximum(np.minimum(sizes, others), 1)
    members = np.where(shared >= 2, members * (0.5 + 0.5 * shared / np.maximum(sizes + others - shared, 1)), 0.0)
    phrases = np.array([[_overlap(one.phrases, other.phrases) for other in found] for one in known])
    centroids = np.stack([entry.centroid for entry in found])
    likeness = np.zeros((len(known), len(found)))
    for row, entry in enumerate(known):
        evidence = [
            (members[row], _MEMBERS if entry.members else 0.0),
            (phrases[row], _PHRASES if entry.phrases else 0.0),
        ]
        if entry.centroid is not None:
            cosine = centroids @ entry.centroid
            evidence.append((np.clip((cosine - _CLOSE) / (1 - _CLOSE), 0, 1), _CENTROID))
        weight = max(sum(part for _, part in evidence), 1e-9)
        likeness[row] = sum(value * part for value, part in evidence) / weight
    return likeness


def _shared(known: Sequence[Known], found: Sequence[Found]) -> npt.NDArray[np.int64]:
    """Count the messages that each theme and each group have in common."""
    owner = {message: column for column, entry in enumerate(found) for message in entry.members}
    shared = np.zeros((len(known), len(found)), dtype=np.int64)
    for row, entry in enumerate(known):
        for message in entry.members:
            column = owner.get(message)
            if column is not None:
                shared[row, column] += 1
    return shared


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / max(min(len(one), len(other)), 1)


def _merges(known: Sequence[Known], found: Sequence[Found], identity: Sequence[str | None]) -> dict[str, str]:
    """Return the themes left without a group whose messages went over to another theme's group."""
    matched = {entry for entry in identity if entry is not None}
    shared = _shared(known, found)
    merges = {}
    for row, entry in enumerate(known):
        if entry.id in matched or entry.kept or len(entry.members) < _LEAST_SHARED or not len(found):
            continue
        column = int(shared[row].argmax())
        target = identity[column]
        if target is not None and shared[row, column] >= max(_LEAST_SHARED, _MERGED * len(entry.members)):
            merges[entry.id] = target
    return merges


def _splits(known: Sequence[Known], found: Sequence[Found], identity: Sequence[str | None]) -> dict[int, str]:
    """Return the new groups that took a part of a theme that goes on."""
    matched = {entry for entry in identity if entry is not None}
    shared = _shared(known, found)
    splits = {}
    for column, name in enumerate(identity):
        if name is not None or not len(known):
            continue
        row = int(shared[:, column].argmax())
        entry = known[row]
        large = shared[row, column] >= max(_LEAST_SHARED, _SPLIT * len(entry.members))
        if entry.id in matched and large and shared[row, column] >= 0.5 * len(found[column].members):
            splits[column] = entry.id
    return splits
