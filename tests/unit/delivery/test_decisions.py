"""Verdict, breaker and pace: pure decisions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.delivery.breaker import THRESHOLD, Breaker, record, switch_off
from nlp_service.core.delivery.outcome import Outcome, read_answer
from nlp_service.core.delivery.pace import LIMITS, Limit, admit
from nlp_service.core.delivery.verdict import JITTER, SCHEDULE, decide

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
KINDS = ("delivered", "refused", "throttled", "gone", "invalid", "unreachable", "forbidden")


def read(status: int, body: bytes = b"", channel: str = "webhook", **headers: str) -> Outcome:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return read_answer(channel, status, named, body, now=NOW)


@pytest.mark.parametrize(
    ("channel", "status", "body", "kind"),
    [
        ("webhook", 200, b"", "delivered"),
        ("webhook", 204, b"", "delivered"),
        ("webhook", 301, b"", "refused"),
        ("webhook", 404, b"nope", "refused"),
        ("webhook", 410, b"", "gone"),
        ("webhook", 413, b"", "invalid"),
        ("webhook", 429, b"", "throttled"),
        ("webhook", 500, b"", "refused"),
        ("feishu", 200, b'{"code":0,"msg":"success"}', "delivered"),
        ("feishu", 200, b'{"StatusCode":0}', "delivered"),
        ("feishu", 200, b'{"code":19021,"msg":"sign match fail"}', "refused"),
        ("feishu", 200, b'{"code":9499}', "invalid"),
        ("feishu", 200, b'{"code":11232}', "throttled"),
        ("dingtalk", 200, b'{"errcode":0,"errmsg":"ok"}', "delivered"),
        ("dingtalk", 200, b'{"errcode":310000}', "refused"),
        ("dingtalk", 200, b'{"errcode":130101}', "throttled"),
        ("wecom", 200, b'{"errcode":93000}', "gone"),
        ("wecom", 200, b"<html>", "refused"),
        ("wecom", 200, b"{}", "refused"),
        ("slack", 200, b"ok", "delivered"),
    ],
)
def test_answers_of_the_channels(channel: str, status: int, body: bytes, kind: str) -> None:
    assert read(status, body, channel).kind == kind


def test_a_code_that_a_person_can_mend_says_how() -> None:
    assert "clock" in read(200, b'{"code":19021}', "feishu").detail
    assert read(200, b'{"errcode":130101}', "dingtalk").retry_after == timedelta(minutes=10)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120), ("Fri, 20 Nov 2026 12:00:30 GMT", 30), ("Fri, 20 Nov 2020 12:00:30 GMT", None), ("soon", None)],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    wait = read(429, retry_after=value).retry_after
    assert (wait and wait.total_seconds()) == seconds


@given(st.sampled_from(KINDS), st.integers(0, 20), st.floats(0, 1, exclude_max=True), st.integers(0, 10**6))
def test_a_verdict_is_complete_and_never_early(kind: str, failures: int, random: float, wait: int) -> None:
    outcome = Outcome(kind=kind, status=500, retry_after=timedelta(seconds=wait))
    verdict = decide(outcome, failures=failures, now=NOW, random=random)
    assert verdict.because
    assert (verdict.action == "retry") == (verdict.at is not None)
    assert (verdict.action == "done") == (kind == "delivered")
    if verdict.at is not None:
        assert verdict.at >= NOW + timedelta(seconds=wait)
        assert verdict.at >= NOW + timedelta(seconds=SCHEDULE[failures + 1] * (1 - JITTER))


def test_the_schedule_is_followed_and_ends() -> None:
    outcome = Outcome(kind="refused", status=500)
    for failures in range(len(SCHEDULE) - 1):
        verdict = decide(outcome, failures=failures, now=NOW, random=0.5)
        assert verdict.at == NOW + timedelta(seconds=SCHEDULE[failures + 1])
    assert decide(outcome, failures=len(SCHEDULE) - 1, now=NOW, random=0.5).action == "dead"


def test_gone_and_forbidden_disable_and_bad_content_is_dead() -> None:
    assert decide(Outcome(kind="gone", status=410), failures=0, now=NOW, random=0).action == "disable"
    assert decide(Outcome(kind="forbidden", detail="10.0.0.1"), failures=0, now=NOW, random=0).action == "disable"
    assert decide(Outcome(kind="invalid", status=413), failures=0, now=NOW, random=0).action == "dead"


def test_an_endpoint_rests_longer_each_time_and_recovers_at_once() -> None:
    breaker, rests = Breaker(), []
    failed = Outcome(kind="unreachable")
    for _ in range(THRESHOLD + 8):
        breaker = record(breaker, failed, now=NOW)
        rests.append(breaker.open_until and (breaker.open_until - NOW).total_seconds())
    assert rests[: THRESHOLD - 1] == [None] * (THRESHOLD - 1)
    assert rests[THRESHOLD - 1 :][:3] == [30.0, 60.0, 120.0]
    assert rests[-1] == 600.0
    assert breaker.is_probing
    assert record(breaker, Outcome(kind="delivered"), now=NOW) == Breaker()


def test_switching_off_says_since_when() -> None:
    breaker = Breaker(failures=10, failing_since=NOW)
    assert "2026-11-20 12:00" in (switch_off(breaker, attempts=10) or "")
    assert switch_off(Breaker(failures=9, failing_since=NOW), attempts=10) is None


@given(
    st.sampled_from(sorted(LIMITS)),
    st.lists(st.tuples(st.floats(0, 30), st.integers(0, 40)), min_size=1, max_size=40),
)
def test_no_span_of_time_sees_more_than_the_limit(channel: str, asks: list[tuple[float, int]]) -> None:
    limit, now, state = LIMITS[channel], NOW, None
    sent: list[datetime] = []
    for wait, wanted in asks:
        now += timedelta(seconds=wait)
        admission = admit(limit, wanted=wanted, paced_until=state, now=now)
        state = admission.paced_until
        sent += [now] * admission.count
        assert admission.count <= wanted
        if admission.count < wanted:
            assert admit(limit, wanted=1, paced_until=state, now=admission.ready_at).count == 1
    published = {"dingtalk": (60, 20), "wecom": (60, 20), "feishu": (60, 100), "slack": (1, 2), "jira": (60, 125)}
    seconds, most = published[channel]
    for start in sent:
        assert sum(start <= moment < start + timedelta(seconds=seconds) for moment in sent) <= most


def test_no_limit_lets_everything_through() -> None:
    assert admit(None, wanted=1000, paced_until=None, now=NOW).count == 1000
    assert admit(Limit(burst=2, interval=timedelta(seconds=1)), wanted=5, paced_until=None, now=NOW).count == 2
