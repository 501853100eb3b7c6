"""Check what arrives from the service's generic webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from standardwebhooks.webhooks import Webhook


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes | str) -> Any:
    """Return the parsed payload; raises standardwebhooks.WebhookVerificationError for a forged or old one."""
    lowered = {name.lower(): value for name, value in headers.items()}
    text = body.decode("utf-8") if isinstance(body, bytes) else body
    return Webhook(secret).verify(text, lowered)
