"""Windows of long messages: packing them into passes of similar length, and one row out of several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from nlp_service.adapters.onnx.session import Columns
from nlp_service.contract.bundle import EMBEDDING
from nlp_service.contract.encode import Window
from nlp_service.core.labelling import FloatArray


def passes(windows: Sequence[Window], *, token_budget: int, at_once: int = 1) -> Iterator[list[int]]:
    """Yield window numbers by pass, longest first, with at most ``token_budget`` padded tokens a pass.

    A window that is longer than the budget gets a pass of its own. Passes are of one size, and as many as ``at_once``
    divides where the windows allow it, so that no thread is left with nothing to do while another one finishes.
    """
    order = sorted(range(len(windows)), key=lambda number: -len(windows[number]))
    tokens = sum(len(window) for window in windows)
    rounds = max(1, -(-tokens // (token_budget * at_once)))
    share = min(token_budget, -(-tokens // (rounds * at_once)))
    start = 0
    while start < len(order):
        width = len(windows[order[start]])
        rows = max(1, min(token_budget // width, -(-share // width)))
        yield order[start : start + rows]
        start += rows


def combine(rows: FloatArray, windows: Sequence[Window], columns: Columns) -> FloatArray:
    """Merge packed rows (windows, columns) of one message into one (columns,).

    Logits are averaged by length and a flag counts where it is strongest: a threat in the last window of a long
    letter is a threat. The embedding is the mean, again of unit norm.
    """
    if len(windows) == 1:
        return np.asarray(rows[0])
    weights = np.array([len(window) for window in windows], dtype=np.float32)
    merged = np.asarray((weights / weights.sum()) @ rows, dtype=np.float32)
    flags, embedding = columns.of["flags"], columns.of[EMBEDDING]
    merged[flags] = rows[:, flags].max(axis=0)
    merged[embedding] /= max(float(np.linalg.norm(merged[embedding])), 1e-12)
    return merged
