"""The labelled examples that a bundle carries: examples.jsonl beside examples.npy, int8 (n, d)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from nlp_service.core.labelling import FloatArray
from nlp_service.errors import BundleError
from nlp_service.ports import Example


class BundledExamples:
    """ports.ExampleIndex in memory; exact search, as there are some thousands."""

    def __init__(self, examples: tuple[Example, ...], vectors: npt.NDArray[np.int8]) -> None:
        self._examples = examples
        self._vectors = vectors
        self._norms = np.linalg.norm(vectors.astype(np.float32), axis=1) + 1e-9

    @classmethod
    def load(cls, folder: Path) -> BundledExamples | None:
        """Return a bundle's examples, None where it carries none; raises BundleError where they do not fit."""
        texts, vectors = folder / "examples.jsonl", folder / "examples.npy"
        if not texts.is_file() or not vectors.is_file():
            return None
        rows = [orjson.loads(line) for line in texts.read_bytes().splitlines()]
        matrix = np.load(vectors, allow_pickle=False)
        if len(rows) != len(matrix):
            raise BundleError(f"{texts} has {len(rows)} examples, {vectors.name} has {len(matrix)} vectors")
        examples = tuple(Example(text=row["text"], intent=row["intent"], lang=row.get("lang", "")) for row in rows)
        return cls(examples, matrix)

    def nearest(self, embedding: FloatArray, count: int) -> tuple[tuple[Example, float], ...]:
        """Return the examples of highest cosine to a unit vector (d,), highest first."""
        cosine = (self._vectors @ embedding.astype(np.float32)) / self._norms
        best = np.argsort(-cosine, kind="stable")[:count]
        return tuple((self._examples[i], float(cosine[i])) for i in best)
