"""Who is told of what, and when."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.delivery.events import KINDS, SEVERITIES
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.subscriptions import (
    RHYTHMS,
    Filter,
    Rhythm,
    Secret,
    Subscription,
    Target,
    check_target,
    decode_filter,
    decode_rhythm,
    decode_target,
    due,
    encode_filter,
    encode_rhythm,
    encode_target,
    match,
    shown_address,
)
from nlp_service.errors import InputError

AT = datetime(2026, 11, 20, 15, 30, tzinfo=UTC)  # Friday 23:30 in Shanghai
EVENT = sample_event("evt_1", at=AT)
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "UTC")
clocks = st.times().map(lambda clock: clock.replace(second=0, microsecond=0))
rhythms = st.builds(
    lambda when, zone, at, weekday, quiet: Rhythm(
        when=when, timezone=zone, at=at, weekday=weekday, quiet_from=quiet and quiet[0], quiet_until=quiet and quiet[1]
    ),
    st.sampled_from(RHYTHMS),
    st.sampled_from(ZONES),
    clocks,
    st.integers(0, 6),
    st.none() | st.tuples(clocks, clocks),
)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("wanted", "expected", "named"),
    [
        ({}, True, ""),
        ({"departments": ("product_team", "x")}, True, ""),
        ({"departments": ("logistics",)}, False, "product_team"),
        ({"products": ("冰箱",)}, False, "净水器"),
        ({"kinds": ("fixed",)}, False, "rising"),
        ({"least_share": 0.15}, True, ""),
        ({"least_share": 0.2}, False, "0.1500"),
        ({"least_customers": 5000}, False, "5000"),
        ({"least_severity": "major"}, True, ""),
        ({"least_severity": "critical"}, False, "major"),
    ],
)
def test_an_event_is_for_a_subscription_when_every_condition_holds(
    wanted: dict[str, Any], expected: bool, named: str
) -> None:
    decision = match(EVENT, Filter(**wanted))
    assert decision.wanted is expected
    assert named in decision.because


def test_an_event_without_share_is_not_taken_for_a_large_one() -> None:
    assert not match(replace(EVENT, share=None), Filter(least_share=0.01)).wanted


@given(rhythms, moments, st.sampled_from(SEVERITIES))
def test_never_early_and_never_more_than_a_week_late(rhythm: Rhythm, at: datetime, severity: str) -> None:
    moment = due(rhythm, at=at, severity=severity)
    assert moment >= at
    assert moment - at <= timedelta(days={"at_once": 1, "daily": 1, "weekly": 7}[rhythm.when], hours=2)
    if rhythm.when == "at_once":
        assert due(rhythm, at=moment, severity=severity) == moment  # not quiet then
    elif moment.astimezone(ZoneInfo(rhythm.timezone)).time() != rhythm.at:
        assert rhythm.timezone != "Asia/Shanghai"  # only where a clock change swallows the hour


@pytest.mark.parametrize(
    ("at", "expected"),
    [("2026-11-20 23:30", "2026-11-21 08:00"), ("2026-11-21 07:59", "2026-11-21 08:00"), ("2026-11-21 08:00", None)],
)
def test_quiet_hours_over_midnight(at: str, expected: str | None) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    rhythm = Rhythm(quiet_from=time(22), quiet_until=time(8))
    moment = datetime.fromisoformat(at).replace(tzinfo=zone)
    wanted = moment if expected is None else datetime.fromisoformat(expected).replace(tzinfo=zone)
    assert due(rhythm, at=moment) == wanted
    assert due(rhythm, at=moment, severity="critical") == moment


def test_a_weekly_digest_comes_on_its_day() -> None:
    moment = due(Rhythm(when="weekly", weekday=0, at=time(9, 7)), at=AT)
    assert moment.astimezone(ZoneInfo("Asia/Shanghai")) == datetime(
        2026, 11, 23, 9, 7, tzinfo=ZoneInfo("Asia/Shanghai")
    )


@given(rhythms)
def test_a_rhythm_survives_storage(rhythm: Rhythm) -> None:
    assert decode_rhythm(encode_rhythm(rhythm)) == rhythm


@given(
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
    st.lists(st.sampled_from(KINDS), max_size=4).map(tuple),
    st.floats(0, 1),
)
def test_a_filter_survives_storage(departments: tuple[str, ...], kinds: tuple[str, ...], share: float) -> None:
    wanted = Filter(departments=departments, kinds=kinds, least_share=share, least_severity="major")
    assert decode_filter(encode_filter(wanted)) == wanted


def test_a_target_survives_storage_and_does_not_show_itself() -> None:
    secrets = (Secret(value="s3cret"), Secret(value="0ld", until=AT))
    target = Target(url="https://hooks.example/bot/t0ken?key=k3y", secrets=secrets, token="t0k", inbound_secret="1n")
    assert decode_target(encode_target(target)) == target
    shown = repr(target) + shown_address("wecom", target) + repr(Subscription(id="s", name="n", channel="wecom"))
    assert not any(secret in shown for secret in ("s3cret", "0ld", "t0ken", "k3y", "t0k", "1n'"))
    assert shown_address("wecom", target) == "https://hooks.example/…"
    assert shown_address("webhook", Target(url="https://user:pw@host.example?x=1")) == "https://host.example/…"


@pytest.mark.parametrize(
    ("channel", "target", "named"),
    [
        ("webhook", Target(), "--url"),
        ("slack", Target(url="ftp://x"), "https://"),
        ("email", Target(), "none"),
        ("email", Target(to=("a@b", "not an address")), "not an address"),
        ("email", Target(to=("a@b.example\r\nBcc: x@y",)), "--to"),
        ("jira", Target(url="https://x.example"), "--project"),
    ],
)
def test_a_target_that_lacks_something_is_refused(channel: str, target: Target, named: str) -> None:
    with pytest.raises(InputError, match=named):
        check_target(channel, target)


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        (lambda: Filter(kinds=("boom",)), "boom"),
        (lambda: Filter(least_share=5), "0.05"),
        (lambda: Rhythm(timezone="Mars/Base"), "Mars"),
        (lambda: Rhythm(quiet_from=time(1)), "both ends"),
        (lambda: Subscription(id="s", name=" ", channel="slack"), "name"),
        (lambda: Subscription(id="s", name="x", channel="fax"), "fax"),
    ],
)
def test_what_cannot_be_is_refused_with_a_remedy(wrong: Any, named: str) -> None:
    with pytest.raises(InputError, match=named):
        wrong()
