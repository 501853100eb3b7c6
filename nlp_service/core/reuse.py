"""Scores of texts seen before, so that duplicates are computed once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nlp_service.core.labelling import FloatArray, Scores

_HEADS = ("intent", "sentiment", "emotion", "flags", "priority", "scope", "embedding", "truncated")
Segments = tuple[str, str]


class ScoreReuse:
    """Remembers the scores of the texts used last; about 2 kB each at 384 dimensions."""

    def __init__(self, entries: int) -> None:
        self._entries = entries
        self._known: OrderedDict[int, FloatArray] = OrderedDict()

    def score(
        self, keys: Sequence[int], segments: Sequence[Segments], compute: Callable[[Sequence[Segments]], Scores]
    ) -> Scores:
        """Return the scores of n texts, in order; each text that is not remembered is computed once."""
        first: dict[int, int] = {}
        for place, key in enumerate(keys):
            if key not in self._known:
                first.setdefault(key, place)
        computed = compute([segments[place] for place in first.values()])
        fresh = dict(zip(first, _pack(computed), strict=True)) if first else {}
        known = self._known
        rows = []
        for key in keys:
            row = fresh.get(key)
            if row is None:
                row = known[key]
                known.move_to_end(key)
            rows.append(row)
        for key, row in list(fresh.items())[-self._entries :] if self._entries else ():
            known[key] = row.copy()  # its own memory, not a view of the whole pass
        while len(known) > self._entries:
            known.popitem(last=False)
        return _unpack(np.stack(rows), computed) if rows else computed


def _pack(scores: Scores) -> FloatArray:
    n = len(scores)
    return np.concatenate([np.asarray(getattr(scores, head), np.float32).reshape(n, -1) for head in _HEADS], axis=1)


def _unpack(packed: FloatArray, like: Scores) -> Scores:
    """Split packed rows; ``like`` tells each head's width, also when it has no rows."""
    parts: dict[str, Any] = {}
    start = 0
    for head in _HEADS:
        example = getattr(like, head)
        width = 1 if example.ndim == 1 else example.shape[1]
        part = packed[:, start : start + width]
        parts[head] = part[:, 0] if example.ndim == 1 else part
        start += width
    return Scores(**{**parts, "truncated": parts["truncated"] > 0.5})
