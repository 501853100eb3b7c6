"""What the batcher needs of a model beyond scoring: its single steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from nlp_service.contract.encode import Reading, Window
from nlp_service.core.labelling import FloatArray, Scores
from nlp_service.ports import Model, Segments


class Engine(Model, Protocol):
    """A model whose steps can be taken one by one; every step is safe from several threads."""

    @property
    def concurrency(self) -> int:
        """Passes that may run at once."""
        ...

    def tokenise(self, segments: Sequence[Segments]) -> list[Reading]:
        """Return the windows of each message."""
        ...

    def infer(self, windows: Sequence[Window]) -> FloatArray:
        """Score windows in one pass: packed float32 (windows, columns)."""
        ...

    def combine(self, reading: Reading, rows: FloatArray) -> FloatArray:
        """Merge the packed rows of one message's windows into one (columns,)."""
        ...

    def unpack(self, rows: FloatArray, truncated: Sequence[bool]) -> Scores:
        """Return the scores of packed rows (n, columns)."""
        ...
