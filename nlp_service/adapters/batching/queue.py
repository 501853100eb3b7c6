"""Windows that wait, in classes of similar length; a pass takes the oldest and its like."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

from nlp_service.adapters.batching.request import Generation, Unit

CLASSES = (8, 12, 16, 24, 32, 48, 64, 96, 128, 192)  # upper bounds in tokens; longer windows share the last class
LEAST_FILL = 0.6  # a shorter window joins a pass only if it fills this share of the pass's width


class LengthQueue:
    """Not safe from several threads: its owner locks."""

    def __init__(self) -> None:
        self._classes: list[deque[Unit]] = [deque() for _ in range(len(CLASSES) + 1)]

    def __bool__(self) -> bool:
        return any(self._classes)

    def push(self, unit: Unit) -> None:
        self._classes[bisect_left(CLASSES, len(unit.window))].append(unit)

    def take(self, *, token_budget: int) -> list[Unit]:
        """Remove and return the windows of one pass; empty if only abandoned ones waited.

        The oldest waiting window decides model and length class. Others of the class follow in order of arrival, then
        shorter ones that fill the width well, as long as the padded tokens stay within the budget.
        """
        for waiting in self._classes:
            while waiting and waiting[0].request.gone:
                waiting.popleft()
        heads = [(waiting[0].ticket, number) for number, waiting in enumerate(self._classes) if waiting]
        if not heads:
            return []
        first = min(heads)[1]
        generation = self._classes[first][0].request.generation
        taken: list[Unit] = []
        width = 0
        for number in range(first, -1, -1):
            if number != first and (CLASSES[number] < LEAST_FILL * width or not self._classes[number]):
                continue
            width = self._fill(taken, self._classes[number], width, generation, token_budget)
        return taken

    def _fill(
        self, taken: list[Unit], waiting: deque[Unit], width: int, generation: Generation, token_budget: int
    ) -> int:
        """Move windows into the pass until the budget is reached; returns the pass's width in tokens."""
        while waiting:
            unit = waiting[0]
            if unit.request.gone:
                waiting.popleft()
                continue
            wider = max(width, len(unit.window))
            if unit.request.generation is not generation or (taken and wider * (len(taken) + 1) > token_budget):
                break
            taken.append(waiting.popleft())
            width = wider
        return width
