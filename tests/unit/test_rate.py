"""The rate limit: never more than promised in any stretch of time, and never less than promised to a steady caller."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.adapters.limiter import Limiter
from nlp_service.core.access import Principal, Scope
from nlp_service.core.rate import BURST_SECONDS, take
from nlp_service.errors import Overloaded


@given(st.integers(1, 6000), st.lists(st.floats(0, 30), min_size=1, max_size=300))
def test_no_stretch_of_time_lets_more_in(per_minute: int, gaps: list[float]) -> None:
    now, full_at, let_in = 0.0, 0.0, []
    for gap in gaps:
        now += gap
        taken = take(full_at, now, per_minute=per_minute)
        full_at = taken.full_at
        if taken.wait == 0:
            let_in.append(now)
    for first in range(0, len(let_in), 7):
        for last in range(first, len(let_in), 5):
            allowed = per_minute / 60 * (let_in[last] - let_in[first] + BURST_SECONDS) + 1
            assert last - first + 1 <= allowed + 1e-6


@given(st.integers(1, 6000), st.integers(1, 200))
def test_a_steady_caller_is_never_refused_and_one_who_waits_as_told_is_let_in(per_minute: int, count: int) -> None:
    full_at, now = 0.0, 0.0
    for number in range(count):
        taken = take(full_at, number * 60 / per_minute, per_minute=per_minute)
        assert taken.wait == 0
        full_at = taken.full_at
    now = count * 60 / per_minute
    while (taken := take(full_at, now, per_minute=per_minute)).wait == 0:
        full_at = taken.full_at
    assert take(full_at, now + taken.wait, per_minute=per_minute).wait == 0


def test_each_caller_has_a_bucket_and_a_key_its_own_limit() -> None:
    now = [1000.0]
    limiter = Limiter(60, clock=lambda: now[0])
    common, own, free = (
        Principal(id=name, scopes=frozenset({Scope.READ}), per_minute=limit)
        for name, limit in (("common", None), ("own", 6), ("free", 0))
    )
    assert [_let_in(limiter, who, 50) for who in (common, own, free)] == [10, 1, 50]
    now[0] += 60
    assert [_let_in(limiter, who, 50) for who in (common, own, free)] == [10, 1, 50]
    with pytest.raises(Overloaded, match="own may make 6 requests a minute") as refused:
        limiter.take(own)
    assert refused.value.retry_after == pytest.approx(10)


def test_without_a_limit_nothing_is_refused() -> None:
    assert _let_in(Limiter(0), Principal(id="x", scopes=frozenset()), 1000) == 1000


def _let_in(limiter: Limiter, who: Principal, asked: int) -> int:
    count = 0
    for _ in range(asked):
        try:
            limiter.take(who)
        except Overloaded:
            continue
        count += 1
    return count
