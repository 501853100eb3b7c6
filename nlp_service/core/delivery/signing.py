"""Signatures of each channel: made for what we send, checked on what we receive."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from urllib.parse import quote_plus

from nlp_service.errors import InputError

TOLERANCE_SECONDS = 300  # how old or early a received signature may be
SECRET_PREFIX = "whsec_"  # noqa: S105  # the form of Standard Webhooks secrets, not one of them
_LEAST_KEY_BYTES, _MOST_KEY_BYTES = 24, 64


def webhook_key(secret: str) -> bytes:
    """Return the key in a `whsec_…` secret; raises InputError, never showing it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise InputError("the webhook secret is not base64 after whsec_: leave it out and one is made") from None
    if not _LEAST_KEY_BYTES <= len(key) <= _MOST_KEY_BYTES:
        raise InputError(f"the webhook secret has {len(key)} bytes, needs {_LEAST_KEY_BYTES} to {_MOST_KEY_BYTES}")
    return key


def new_webhook_secret(random: bytes) -> str:
    """Return the `whsec_…` form of random bytes."""
    return SECRET_PREFIX + base64.b64encode(random).decode()


def sign_webhook(secrets: Sequence[str], *, message_id: str, timestamp: int, body: bytes) -> str:
    """Standard Webhooks: one `v1,…` for each secret, so that a receiver may change over from one to the other."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{_hmac64(webhook_key(secret), signed)}" for secret in secrets)


def verify_webhook(
    signature: str, secrets: Sequence[str], *, message_id: str, timestamp: str, body: bytes, now: int
) -> bool:
    """Tell whether one of the signatures given was made with one of the secrets, not long ago."""
    if not _is_recent(timestamp, now):
        return False
    expected = sign_webhook(secrets, message_id=message_id, timestamp=int(timestamp), body=body).split()
    return any(_equal(given, good) for given in signature.split() for good in expected)


def sign_feishu(secret: str, *, timestamp: int) -> str:
    """Feishu: the time and the secret are the key, the message is empty; seconds."""
    return _hmac64(f"{timestamp}\n{secret}".encode(), b"")


def sign_dingtalk(secret: str, *, timestamp_ms: int) -> str:
    """DingTalk: the secret is the key, the time and the secret are the message; URL-encoded; milliseconds."""
    return quote_plus(_hmac64(secret.encode(), f"{timestamp_ms}\n{secret}".encode()))


def sign_slack(secret: str, *, timestamp: int, body: bytes) -> str:
    """Slack, for requests that it sends to us."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    return f"v0={digest}"


def verify_slack(signature: str, secret: str, *, timestamp: str, body: bytes, now: int) -> bool:
    """Tell whether a request comes from Slack and is not an old one sent again."""
    return _is_recent(timestamp, now) and _equal(signature, sign_slack(secret, timestamp=int(timestamp), body=body))


def _is_recent(timestamp: str, now: int) -> bool:
    return timestamp.isascii() and timestamp.isdigit() and abs(now - int(timestamp)) <= TOLERANCE_SECONDS


def _hmac64(key: bytes, message: bytes) -> str:
    return base64.b64encode(hmac.new(key, message, hashlib.sha256).digest()).decode()


def _equal(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
