"""Texts that occur twice: copies, near copies, contradictions, and what leaks into an evaluation set."""

from __future__ import annotations

import unicodedata
import zlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from nlp_service.contract.corpus import Record
from nlp_service.contract.inputs import compose
from nlp_service.core.corpus_check.values import Finding, Line, labels_of
from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.neighbours import closest, nearest

SHORT = 6  # letters below which people write the same by chance ("好的", "谢谢")
GRAM = 3  # letters of a shingle
LEAST_SHARED = 0.7  # Jaccard of shingles from which two texts are near copies
LEAST_COSINE = 0.7  # of hashed shingles, from which a pair is compared whole; lower than LEAST_SHARED allows
WIDTH = 512
NEIGHBOURS = 6


def letters(text: str) -> str:
    """Return what is left of a text when somebody varies marks, spaces and numbers: letters, each number as 0."""
    kept = []
    for char in unicodedata.normalize("NFKC", text).lower():
        category = unicodedata.category(char)[0]
        if category == "L":
            kept.append(char)
        elif category == "N" and (not kept or kept[-1] != "0"):
            kept.append("0")
    return "".join(kept)


def find_repeated(lines: Sequence[Line]) -> Iterator[Finding]:
    """Yield exact and near copies, and equal texts whose labels contradict each other."""
    groups: dict[tuple[str, str], list[Line]] = defaultdict(list)
    for line in lines:
        groups[compose(line.record.text, line.record.context)].append(line)
    for same in groups.values():
        yield from _conflicts(same)
        for line in same[1:]:
            yield _repeats("exact_duplicate", line, same[0], 1.0, f"the same as line {same[0].number}")
    yield from _near_copies([same[0] for same in groups.values()])


def _conflicts(same: Sequence[Line]) -> Iterator[Finding]:
    first: dict[str, tuple[str, int]] = {}
    for line in same:
        for head, label in labels_of(line.record).items():
            if label is None:
                continue
            known, where = first.setdefault(head, (label, line.number))
            if known != label:
                yield Finding(
                    kind="conflict",
                    line=line.number,
                    detail=f"the text of line {where} with another {head}: {label}, there {known}",
                    head=head,
                    label=label,
                    better=known,
                    other=where,
                )


def _near_copies(lines: Sequence[Line]) -> Iterator[Finding]:
    """Yield each line that is a near copy of an earlier one; texts of equal letters need no comparing."""
    by_letters: dict[tuple[str, str], Line] = {}
    unlike: list[Line] = []
    keys: list[str] = []
    for line in lines:
        key = letters(line.record.text)
        if len(key) < SHORT:
            continue
        place = (key, letters(" ".join(line.record.context)))
        if place in by_letters:
            first = by_letters[place]
            yield _repeats("near_duplicate", line, first, 1.0, f"the letters of line {first.number}")
            continue
        by_letters[place] = line
        unlike.append(line)
        keys.append(key)
    grams = [shingles(key) for key in keys]
    near, cosine = nearest(vectors(grams), NEIGHBOURS)
    for row, line in enumerate(unlike):
        earlier = [
            (shared(grams[row], grams[other]), other)
            for other, value in zip(near[row].tolist(), cosine[row].tolist(), strict=True)
            if other < row and value >= LEAST_COSINE and line.record.context == unlike[other].record.context
        ]
        likeness, other = max(earlier, default=(0.0, 0))
        if likeness >= LEAST_SHARED:
            detail = f"nearly line {unlike[other].number}: {likeness:.0%} of the letters in order are shared"
            yield _repeats("near_duplicate", line, unlike[other], likeness, detail)


def find_leaks(lines: Sequence[Line], evaluation: Mapping[str, Sequence[Record]]) -> Iterator[Finding]:
    """Yield the lines whose text, or nearly, is in an evaluation set: a model trained on them would be flattered."""
    held = [(name, key) for name, records in evaluation.items() for key in map(_long_letters, records) if key]
    own = [(line, key) for line in lines if (key := _long_letters(line.record))]
    if not held or not own:
        return
    held_grams, own_grams = [shingles(key) for _, key in held], [shingles(key) for _, key in own]
    place, cosine = closest(vectors(own_grams), vectors(held_grams))
    by_key = {key: name for name, key in held}
    for row, (line, key) in enumerate(own):
        likeness, name = 1.0, by_key.get(key)
        if name is None and cosine[row] >= LEAST_COSINE:
            likeness, name = shared(own_grams[row], held_grams[place[row]]), held[int(place[row])][0]
        if name is not None and likeness >= LEAST_SHARED:
            detail = (
                f"{'stands' if likeness == 1.0 else f'nearly stands ({likeness:.0%})'} in the evaluation set {name}"
            )
            yield Finding(kind="leak", line=line.number, detail=detail, label=name, score=round(likeness, 3))


def _long_letters(record: Record) -> str:
    key = letters(record.text)
    return key if len(key) >= SHORT else ""


def shingles(key: str) -> frozenset[int]:
    """Return the hashes of every GRAM letters in a row."""
    return frozenset(zlib.crc32(key[start : start + GRAM].encode()) for start in range(max(1, len(key) - GRAM + 1)))


def shared(one: frozenset[int], other: frozenset[int]) -> float:
    """Return the Jaccard likeness of two sets of shingles."""
    return len(one & other) / max(len(one | other), 1)


def vectors(grams: Sequence[frozenset[int]]) -> FloatArray:
    """Return unit vectors (n, WIDTH) whose cosines follow the shared shingles: the hashing trick with signs."""
    rows = np.zeros((len(grams), WIDTH), dtype=np.float32)
    for row, own in enumerate(grams):
        hashes = np.fromiter(own, dtype=np.int64, count=len(own))
        np.add.at(rows[row], (hashes >> 1) % WIDTH, np.where(hashes & 1, 1.0, -1.0))
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9), dtype=np.float32)


def _repeats(kind: str, line: Line, first: Line, score: float, detail: str) -> Finding:
    return Finding(kind=kind, line=line.number, detail=detail, other=first.number, score=round(score, 3))
