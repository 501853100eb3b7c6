"""Signatures against the published vectors, the reference verifier, and themselves."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from nlp_service.core.delivery.links import ActionLink, open_link, sign_link
from nlp_service.core.delivery.signing import (
    new_webhook_secret,
    sign_dingtalk,
    sign_feishu,
    sign_slack,
    sign_webhook,
    verify_slack,
    verify_webhook,
)
from nlp_service.errors import Forbidden, InputError

secrets = st.binary(min_size=24, max_size=64).map(new_webhook_secret)
times = st.integers(0, 4_000_000_000)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_standard_webhooks_vector() -> None:
    signature = sign_webhook(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
    )
    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_feishu_vector() -> None:
    assert sign_feishu("demo", timestamp=1599360473) == "l1N0gAcBjdwBvGm1xMjOF0XSyaLRpR7tuO5dHfhAYc8="


def test_dingtalk_vector() -> None:
    expected = "hmPWwU%2B7lVdm3ZZz0r9tSfx0L4Q26jWOZr9%2BGs6EZQM%3D"
    assert sign_dingtalk("this is secret", timestamp_ms=1577262236757) == expected


def test_slack_vector() -> None:
    expected = "v0=3eeaac3070533b0f5536145f88159d8e50277d9f01e4865f87e2d749f4789397"
    assert sign_slack("8f742231b10e8888abcd99yyyzzz85a5", timestamp=1531420618, body=b"token=x") == expected


@given(
    secrets,
    secrets,
    st.text(alphabet="abcdef0123_", min_size=1),
    st.dictionaries(st.text(max_size=9), st.text(max_size=50)),
)
def test_the_reference_verifier_accepts_either_of_two_secrets(
    new: str, old: str, message_id: str, said: dict[str, str]
) -> None:
    timestamp, body = int(datetime.now(UTC).timestamp()), json.dumps(said).encode()
    signature = sign_webhook([new, old], message_id=message_id, timestamp=timestamp, body=body)
    headers = {"webhook-id": message_id, "webhook-timestamp": str(timestamp), "webhook-signature": signature}
    for secret in (new, old):
        assert Webhook(secret).verify(body, headers) == said


@given(secrets, times, st.binary(max_size=200), st.integers(-300, 300))
def test_what_was_signed_verifies(secret: str, timestamp: int, body: bytes, later: int) -> None:
    signature = sign_webhook([secret], message_id="m", timestamp=timestamp, body=body)
    known = {"message_id": "m", "timestamp": str(timestamp), "now": timestamp + later}
    assert verify_webhook(signature, [secret], body=body, **known)  # type: ignore[arg-type]
    assert not verify_webhook(signature, [secret], body=body + b"x", **known)  # type: ignore[arg-type]
    assert verify_slack(
        sign_slack(secret, timestamp=timestamp, body=body),
        secret,
        timestamp=str(timestamp),
        body=body,
        now=timestamp + later,
    )


@given(secrets, secrets, times)
def test_another_secret_or_an_old_request_does_not_verify(secret: str, other: str, timestamp: int) -> None:
    signature = sign_webhook([secret], message_id="m", timestamp=timestamp, body=b"")
    stamp = str(timestamp)
    if secret != other:
        assert not verify_webhook(signature, [other], message_id="m", timestamp=stamp, body=b"", now=timestamp)
    assert not verify_webhook(signature, [secret], message_id="m", timestamp=stamp, body=b"", now=timestamp + 301)
    assert not verify_slack("v0=0", secret, timestamp="not a time", body=b"", now=timestamp)


@pytest.mark.parametrize("wrong", ["whsec_", "whsec_%%%", "whsec_c2hvcnQ="])
def test_a_weak_or_malformed_secret_is_refused_without_showing_it(wrong: str) -> None:
    with pytest.raises(InputError) as refused:
        sign_webhook([wrong], message_id="m", timestamp=0, body=b"")
    assert wrong.removeprefix("whsec_") not in str(refused.value) or wrong == "whsec_"


@given(st.text(max_size=40), st.text(max_size=40), st.integers(1, 10**6))
def test_a_link_says_what_was_signed_until_it_expires(theme: str, subscription: str, seconds: int) -> None:
    expires = datetime.fromtimestamp(int(NOW.timestamp()) + seconds, UTC)
    link = ActionLink(action="fix", theme_id=theme, subscription_id=subscription, expires_at=expires)
    token = sign_link(link, b"k" * 32)
    assert open_link(token, [b"n" * 32, b"k" * 32], now=NOW) == link
    with pytest.raises(Forbidden, match="expired"):
        open_link(token, [b"n" * 32, b"k" * 32], now=datetime(2040, 1, 1, tzinfo=UTC))
    with pytest.raises(Forbidden, match="not ours"):
        open_link(token, [b"o" * 32], now=NOW)


@given(st.text(max_size=60))
def test_a_forged_link_is_refused(token: str) -> None:
    with pytest.raises(Forbidden):
        open_link(token, [b"n" * 32, b"k" * 32], now=NOW)
