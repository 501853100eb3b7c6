"""The labelled examples that a bundle carries: examples.jsonl beside examples.npy, int8 (n, d)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from nlp_service.core.labelling import FloatArray
from nlp_service.errors import BundleError
from nlp_service.ports import Example

_PART = 512  # vectors made float at a time


class BundledExamples:
    """ports.ExampleIndex in memory; exact search, as there are some thousands."""

    def __init__(self, lines: Sequence[bytes], vectors: npt.NDArray[np.int8]) -> None:
        self._lines = lines  # JSON; the few that are shown are read then
        self._vectors = vectors
        parts = np.array_split(vectors, max(1, len(vectors) // _PART))
        self._norms = np.concatenate([np.linalg.norm(part.astype(np.float32), axis=1) for part in parts]) + 1e-9

    @classmethod
    def load(cls, folder: Path) -> BundledExamples | None:
        """Return a bundle's examples, None where it carries none; raises BundleError where they do not fit."""
        texts, vectors = folder / "examples.jsonl", folder / "examples.npy"
        if not texts.is_file() or not vectors.is_file():
            return None
        rows = texts.read_bytes().splitlines()
        matrix = np.load(vectors, allow_pickle=False)
        if len(rows) != len(matrix):
            raise BundleError(f"{texts} has {len(rows)} examples, {vectors.name} has {len(matrix)} vectors")
        return cls(rows, matrix)

    def nearest(self, embedding: FloatArray, count: int) -> tuple[tuple[Example, float], ...]:
        """Return the examples of highest cosine to a unit vector (d,), highest first."""
        cosine = (self._vectors @ embedding.astype(np.float32)) / self._norms
        best = np.argsort(-cosine, kind="stable")[:count]
        return tuple((_example(self._lines[i]), float(cosine[i])) for i in best)

    @property
    def examples(self) -> tuple[Example, ...]:
        """All of them, in order; read anew at every call."""
        return tuple(_example(line) for line in self._lines)

    def vectors(self) -> FloatArray:
        """Return their unit vectors (n, d)."""
        return np.asarray(self._vectors / self._norms[:, None], dtype=np.float32)


def _example(line: bytes) -> Example:
    row = orjson.loads(line)
    return Example(text=row["text"], intent=row["intent"], lang=row.get("lang", ""))
