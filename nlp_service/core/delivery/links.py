"""Signed, expiring links with which a reader of a message says: taken on, or fixed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from nlp_service.errors import Forbidden

ACTIONS = ("acknowledge", "fix")
LIFETIME = timedelta(days=14)
_MAC_BYTES = 16


@dataclass(frozen=True, kw_only=True)
class ActionLink:
    action: str  # one of ACTIONS
    theme_id: str
    subscription_id: str
    expires_at: datetime


def sign_link(link: ActionLink, key: bytes) -> str:
    """Return the token of a link, safe in a URL."""
    fields = [link.action, link.theme_id, link.subscription_id, int(link.expires_at.timestamp())]
    payload = json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode()
    return _encode(payload + _mac(payload, key))


def open_link(token: str, keys: Sequence[bytes], *, now: datetime) -> ActionLink:
    """Return what a token says that one of the keys signed; raises Forbidden where it was changed or has expired."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    payload, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if not payload or not any(hmac.compare_digest(mac, _mac(payload, key)) for key in keys):
        raise Forbidden("this link is damaged or not ours: open it from the message again")
    action, theme_id, subscription_id, seconds = json.loads(payload)
    expires_at = datetime.fromtimestamp(seconds, UTC)
    if now > expires_at:
        raise Forbidden(f"this link expired on {expires_at:%Y-%m-%d}: open the theme itself")
    return ActionLink(action=action, theme_id=theme_id, subscription_id=subscription_id, expires_at=expires_at)


def _mac(payload: bytes, key: bytes) -> bytes:
    return hmac.new(key, b"action link" + payload, hashlib.sha256).digest()[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
