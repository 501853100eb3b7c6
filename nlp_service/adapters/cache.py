"""Remembers the scores of exact duplicates: small talk repeats a lot."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from nlp_service.core.labelling import FloatArray
from nlp_service.ports import Segments

LONGEST = 1_000  # characters of a message that may be remembered; longer ones do not repeat


class DuplicateCache:
    """The least recently used rows of one model, at most ``entries``; used by one thread."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._rows: OrderedDict[Segments, tuple[FloatArray, bool]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._rows)

    def find(self, segments: Sequence[Segments]) -> list[tuple[FloatArray, bool] | None]:
        """Return (packed row, truncated) of each message that is known, else None."""
        found = []
        for key in segments:
            row = self._rows.get(key)
            if row is not None:
                self._rows.move_to_end(key)
            found.append(row)
        return found

    def remember(self, key: Segments, row: FloatArray, *, truncated: bool) -> None:
        if self._entries == 0 or len(key[0]) + len(key[1]) > LONGEST:
            return
        self._rows[key] = (row.copy(), truncated)  # a view would keep the whole pass alive
        self._rows.move_to_end(key)
        if len(self._rows) > self._entries:
            self._rows.popitem(last=False)
