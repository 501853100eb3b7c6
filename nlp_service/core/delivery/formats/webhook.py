"""Generic webhook by Standard Webhooks: https://github.com/standard-webhooks/standard-webhooks (specification)."""

from __future__ import annotations

from typing import Any

from nlp_service.core.delivery.events import ThemeEvent, encode, trend
from nlp_service.core.delivery.formats.request import JSON_HEADERS, HttpRequest, as_json
from nlp_service.core.delivery.notice import Notice, Shown, fit
from nlp_service.core.delivery.signing import sign_webhook
from nlp_service.core.delivery.subscriptions import Target

LIMIT = 20_000  # bytes of a body


def compose(notice: Notice, target: Target) -> HttpRequest:
    """One event as `theme.<kind>`, several as `theme.digest`; every event carries its own stable id."""
    body = fit(notice, lambda shown: as_json(_document(notice, shown)), LIMIT)
    timestamp = int(notice.at.timestamp())
    valid = [secret.value for secret in target.secrets if secret.until is None or secret.until > notice.at]
    headers = {
        **JSON_HEADERS,
        "webhook-id": notice.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign_webhook(valid, message_id=notice.id, timestamp=timestamp, body=body),
    }
    return HttpRequest(url=target.url or "", headers=headers, body=body)


def _document(notice: Notice, shown: Shown) -> dict[str, Any]:
    events = [_event(notice, event) for event in shown.events]
    data = events[0] if notice.form != "digest" else {"events": events}
    kind = "digest" if notice.form == "digest" else shown.events[0].kind
    return {
        "type": f"theme.{kind}",
        "timestamp": max(event.at for event in notice.events).isoformat(),
        "data": {
            **data,
            "subscription": notice.subscription,
            "sample": notice.form == "sample",
            "quotes_shortened": shown.is_shortened,
            "events_left_out": shown.left_out,
        },
    }


def _event(notice: Notice, event: ThemeEvent) -> dict[str, Any]:
    links = notice.links_of(event)
    ours = {"theme": links.theme, "acknowledge": links.acknowledge, "fix": links.fix}
    share = event.share
    return {
        **encode(event),
        "share": None if share is None else {"value": share.value, "low": share.low, "high": share.high},
        "trend": trend(event.growth),
        "links": {**event.links, **{name: url for name, url in ours.items() if url}},
    }
