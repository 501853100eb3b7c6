"""Windows in passes: each once, within the budget, and no thread left with nothing to do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nlp_service.adapters.onnx.windows import passes
from nlp_service.contract.encode import Window


def windows(lengths: list[int]) -> list[Window]:
    return [Window([5] * length, length) for length in lengths]


@given(st.lists(st.integers(1, 300), max_size=200), st.integers(1, 600), st.integers(1, 4))
def test_each_window_once_and_within_the_budget(lengths: list[int], budget: int, at_once: int) -> None:
    plan = list(passes(windows(lengths), token_budget=budget, at_once=at_once))
    assert sorted(number for numbers in plan for number in numbers) == list(range(len(lengths)))
    for numbers in plan:
        assert len(numbers) == 1 or len(numbers) * max(lengths[number] for number in numbers) <= budget


def test_threads_share_the_work() -> None:
    plan = [len(numbers) for numbers in passes(windows([10] * 256), token_budget=512, at_once=2)]
    assert len(plan) == 6
    assert max(plan) - min(plan) <= 3


def test_a_handful_is_shared_too() -> None:
    assert [len(numbers) for numbers in passes(windows([10] * 8), token_budget=512, at_once=2)] == [4, 4]
