"""The queue of windows: similar lengths share a pass, budgets hold, and nobody waits for ever."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_service.adapters.batching.queue import CLASSES, LEAST_FILL, LengthQueue
from nlp_service.adapters.batching.request import Generation, Request, Unit
from nlp_service.adapters.cache import DuplicateCache
from nlp_service.contract.encode import Window
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.testing import FakeEngine

LENGTHS = st.lists(st.integers(1, 256), min_size=1, max_size=30)


def units(lengths: list[int], generation: Generation | None = None) -> list[Unit]:
    """Windows of one request."""
    loop = asyncio.new_event_loop()
    loop.close()
    request = Request(generation, [], loop, asyncio.Future(loop=loop), 0)  # type: ignore[arg-type]
    return [Unit(request, Window([0] * length, length), 0, number) for number, length in enumerate(lengths)]


def drain(queue: LengthQueue, budget: int) -> list[list[Unit]]:
    passes = []
    while taken := queue.take(token_budget=budget):
        passes.append(taken)
    return passes


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(requests=st.lists(LENGTHS, min_size=1, max_size=6), budget=st.integers(1, 600))
def test_every_window_is_taken_once_within_the_budget(requests: list[list[int]], budget: int) -> None:
    queue, pushed = LengthQueue(), []
    for lengths in requests:
        batch = units(lengths)
        pushed += batch
        queue.push(batch)
    passes = drain(queue, budget)
    assert sorted(id(unit) for taken in passes for unit in taken) == sorted(map(id, pushed))
    for taken in passes:
        widths = [len(unit.window) for unit in taken]
        assert len(taken) == 1 or max(widths) * len(taken) <= budget
        # A class spans at most a factor of two above its narrowest member; the first one holds everything short.
        assert min(widths) >= LEAST_FILL / 2 * max(widths) or min(widths) <= CLASSES[0]


def test_a_single_message_overtakes_the_tail_of_a_large_request() -> None:
    queue = LengthQueue()
    queue.push(units([20] * 256))
    queue.take(token_budget=400)
    [single] = units([20])
    queue.push([single])
    assert any(unit is single for _ in range(2) for unit in queue.take(token_budget=400))


def test_a_stream_of_single_messages_does_not_starve_a_large_request() -> None:
    queue = LengthQueue()
    large = units([100] * 20)
    queue.push(large)
    waiting = {id(unit) for unit in large}
    for _ in range(200):
        queue.push(units([10] * 10))
        waiting -= {id(unit) for unit in queue.take(token_budget=100)}
    assert not waiting


def test_a_pass_never_mixes_two_models(taxonomy: Taxonomy) -> None:
    queue = LengthQueue()
    generations = [Generation(FakeEngine(taxonomy), DuplicateCache(0)) for _ in range(2)]
    for generation in generations * 3:
        queue.push(units([10, 11, 12], generation))
    for taken in drain(queue, 1000):
        assert len({id(unit.request.generation) for unit in taken}) == 1


def test_abandoned_windows_are_passed_over() -> None:
    queue = LengthQueue()
    gone, here = units([5, 50]), units([6])
    gone[0].request.gone = True
    queue.push(gone)
    queue.push(here)
    assert drain(queue, 100) == [here]
