"""Windows that wait, in classes of similar length; a pass takes the most due one and its like."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from heapq import heappop, heappush

from nlp_service.adapters.batching.request import Generation, Unit

CLASSES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192)  # upper bounds in tokens; longer windows share the last class
LEAST_FILL = 0.6  # a shorter window joins a pass only if it fills this share of the pass's width
Entry = tuple[int, int, Unit]  # when it is due, order of arrival, window


class LengthQueue:
    """Not safe from several threads: its owner locks.

    The clock counts tokens served. A request's windows fall due one after the other, as if it were alone: a single
    message that comes behind a batch of 256 overtakes the batch's tail, and the tail, due at a fixed time, is never
    overtaken for ever.
    """

    def __init__(self) -> None:
        self._classes: list[list[Entry]] = [[] for _ in range(len(CLASSES) + 1)]
        self._clock = 0
        self._arrived = 0

    def push(self, units: Iterable[Unit]) -> None:
        """Add the windows of one request."""
        due = self._clock
        for unit in units:
            heappush(self._classes[bisect_left(CLASSES, len(unit.window))], (due, self._arrived, unit))
            due += len(unit.window)
            self._arrived += 1

    def take(self, *, token_budget: int) -> list[Unit]:
        """Remove and return the windows of one pass; empty if only abandoned ones waited.

        The window due first decides model and length class. Others of the class follow in the order they are due, then
        shorter ones that fill the width well, as long as the padded tokens stay within the budget.
        """
        for waiting in self._classes:
            while waiting and waiting[0][2].request.gone:
                heappop(waiting)
        heads = [(waiting[0][:2], number) for number, waiting in enumerate(self._classes) if waiting]
        if not heads:
            return []
        first = min(heads)[1]
        generation = self._classes[first][0][2].request.generation
        taken: list[Unit] = []
        width = 0
        for number in range(first, -1, -1):
            if number != first and CLASSES[number] < LEAST_FILL * width:
                break
            width = self._fill(taken, self._classes[number], width, generation, token_budget)
        self._clock += sum(len(unit.window) for unit in taken)
        return taken

    def _fill(
        self, taken: list[Unit], waiting: list[Entry], width: int, generation: Generation, token_budget: int
    ) -> int:
        """Move windows into the pass until the budget is reached; returns the pass's width in tokens."""
        while waiting:
            unit = waiting[0][2]
            if unit.request.gone:
                heappop(waiting)
                continue
            wider = max(width, len(unit.window))
            if unit.request.generation is not generation or (taken and wider * (len(taken) + 1) > token_budget):
                break
            heappop(waiting)
            taken.append(unit)
            width = wider
        return width
