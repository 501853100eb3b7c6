"""The batcher: order and identity are never mixed, what waits is bounded, and callers that have gone cost nothing."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_service.adapters.batching import Batcher
from nlp_service.contract.encode import Window
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import FloatArray, Scores
from nlp_service.errors import Overloaded, Unavailable
from nlp_service.ports import Segments
from nlp_service.testing import FakeEngine

TEXT = st.text("abc你好!", max_size=150)
CALL = st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=12)
QUEUE = 1_000_000


class Recorder:
    def __init__(self) -> None:
        self.batches: list[int] = []
        self.depth = 0
        self.hits = 0
        self.misses = 0

    def batch_scored(self, messages: int) -> None:
        self.batches.append(messages)

    def queue_depth(self, tokens: int) -> None:
        self.depth = tokens

    def cache_looked_up(self, *, hits: int, misses: int) -> None:
        self.hits += hits
        self.misses += misses


class Gated(FakeEngine):
    """Computes only while the gate is open, and keeps what it was asked to compute."""

    def __init__(self, taxonomy: Taxonomy, *, version: str = "0.0.1", concurrency: int = 1) -> None:
        super().__init__(taxonomy, version=version, concurrency=concurrency)
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.computed: list[str] = []

    def infer(self, windows: Sequence[Window]) -> FloatArray:
        self.entered.set()
        self.gate.wait(10)
        self.computed += ["".join(map(chr, window.ids[: window.boundary])) for window in windows]
        return super().infer(windows)


class Failing(FakeEngine):
    def infer(self, windows: Sequence[Window]) -> FloatArray:
        raise MemoryError("no room for the pass")


def assert_same(one: Scores, other: Scores) -> None:
    for name in ("intent", "sentiment", "emotion", "flags", "priority", "scope", "embedding"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-4, atol=1e-5)
    assert one.truncated.tolist() == other.truncated.tolist()


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    calls=st.lists(CALL, min_size=1, max_size=12), cache=st.sampled_from([0, 3, 1000]), pass_tokens=st.integers(1, 400)
)
def test_order_and_identity_are_never_mixed(
    taxonomy: Taxonomy, calls: list[list[Segments]], cache: int, pass_tokens: int
) -> None:
    model = FakeEngine(taxonomy, concurrency=3)

    async def run() -> None:
        recorder = Recorder()
        batcher = Batcher(model, queue_tokens=QUEUE, cache_entries=cache, observer=recorder, pass_tokens=pass_tokens)
        answers = await asyncio.gather(*[batcher.score(call) for call in calls])
        await batcher.close()
        for call, answer in zip(calls, answers, strict=True):
            assert_same(answer.scores, model.score(call))
        assert recorder.depth == 0
        assert recorder.hits + recorder.misses == sum(map(len, calls))

    asyncio.run(run())


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(calls=st.lists(CALL, min_size=2, max_size=10), swap_after=st.integers(0, 9))
def test_no_answer_mixes_two_models(taxonomy: Taxonomy, calls: list[list[Segments]], swap_after: int) -> None:
    models = {version: FakeEngine(taxonomy, version=version) for version in ("1.0.0", "2.0.0")}

    async def run() -> None:
        batcher = Batcher(models["1.0.0"], queue_tokens=QUEUE, cache_entries=100)
        tasks = []
        for number, call in enumerate(calls):
            if number == swap_after:
                batcher.swap(models["2.0.0"])
                assert batcher.model.identity.version == "2.0.0"
            tasks.append(asyncio.create_task(batcher.score(call)))
            await asyncio.sleep(0)
        for number, (call, task) in enumerate(zip(calls, tasks, strict=True)):
            answer = await task
            version = answer.model.identity.version
            assert version == ("1.0.0" if number < swap_after else "2.0.0")
            assert_same(answer.scores, models[version].score(call))
        await batcher.close()

    asyncio.run(run())


def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        model = Gated(taxonomy)
        batcher = Batcher(model, queue_tokens=30, cache_entries=0)
        first = asyncio.create_task(batcher.score([("a" * 20, "")]))
        await asyncio.to_thread(model.entered.wait, 10)
        with pytest.raises(Overloaded) as refused:
            await batcher.score([("b" * 20, "")])
        assert refused.value.retry_after >= 1
        model.gate.set()
        await first
        await batcher.score([("b" * 20, "")])
        await batcher.close()

    asyncio.run(run())


def test_one_request_larger_than_the_queue_is_served_when_nothing_waits(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        batcher = Batcher(FakeEngine(taxonomy), queue_tokens=10, cache_entries=0)
        answer = await batcher.score([("a" * 200, "")])
        assert len(answer.scores) == 1
        await batcher.close()

    asyncio.run(run())


def test_a_caller_that_has_gone_is_dropped_before_compute(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        model, recorder = Gated(taxonomy), Recorder()
        batcher = Batcher(model, queue_tokens=QUEUE, cache_entries=0, observer=recorder)
        first = asyncio.create_task(batcher.score([("first", "")]))
        await asyncio.to_thread(model.entered.wait, 10)
        gone = asyncio.create_task(batcher.score([("gone", "")]))
        last = asyncio.create_task(batcher.score([("last", "")]))
        await asyncio.sleep(0.01)
        gone.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(first, last)
        await batcher.close()
        assert gone.cancelled()
        assert sorted(model.computed) == ["first", "last"]
        assert recorder.depth == 0

    asyncio.run(run())


def test_duplicates_are_computed_once_and_counted(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        model, recorder = Gated(taxonomy), Recorder()
        model.gate.set()
        batcher = Batcher(model, queue_tokens=QUEUE, cache_entries=10, observer=recorder)
        await batcher.score([("hello", ""), ("hello", ""), ("hello", "context")])
        answer = await batcher.score([("hello", "")])
        await batcher.close()
        assert sorted(model.computed) == ["hello", "hello"]
        assert (recorder.hits, recorder.misses) == (1, 3)
        assert_same(answer.scores, FakeEngine(taxonomy).score([("hello", "")]))

    asyncio.run(run())


def test_closing_answers_what_waits_and_refuses_what_comes(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        model = Gated(taxonomy)
        batcher = Batcher(model, queue_tokens=QUEUE, cache_entries=0)
        waiting = [asyncio.create_task(batcher.score([(f"text {number}", "")])) for number in range(5)]
        await asyncio.to_thread(model.entered.wait, 10)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await batcher.score([("late", "")])
        model.gate.set()
        assert [len((await task).scores) for task in waiting] == [1] * 5
        await closing

    asyncio.run(run())


def test_an_error_reaches_the_callers_and_the_next_request_is_served(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        recorder = Recorder()
        batcher = Batcher(Failing(taxonomy), queue_tokens=QUEUE, cache_entries=0, observer=recorder)
        with pytest.raises(MemoryError):
            await batcher.score([("a", "")])
        assert recorder.depth == 0
        batcher.swap(FakeEngine(taxonomy))
        assert len((await batcher.score([("a", "")])).scores) == 1
        await batcher.close()

    asyncio.run(run())


def test_stages_add_up_and_are_zero_for_what_is_remembered(taxonomy: Taxonomy) -> None:
    async def run() -> None:
        batcher = Batcher(FakeEngine(taxonomy), queue_tokens=QUEUE, cache_entries=10)
        first = await batcher.score([("hello", "")])
        again = await batcher.score([("hello", "")])
        await batcher.close()
        assert set(first.stages) == {"queue", "tokenise", "infer"}
        assert all(seconds >= 0 for seconds in first.stages.values())
        assert set(again.stages.values()) == {0.0}

    asyncio.run(run())
