"""The way back: links in messages, and requests that channels sign. No key: the signature is the right."""

from __future__ import annotations

from html import escape
from typing import Annotated

from fastapi import APIRouter, Header, Path, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import HTMLResponse

from nlp_service.errors import InvalidMessage
from nlp_service.web.routes.subscriptions import DeliveryDep
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.subscriptions import HeardBackOut

router = APIRouter(prefix="/inbound", tags=["inbound"])
MOST_BODY = 64 * 1024  # bytes
_REFUSED = {"description": "The signature does not fit, or it is too old.", "model": Problem}
_MISSING = {"description": "The theme is no more.", "model": Problem}
_CONFLICT = {"description": "The theme's state does not allow it.", "model": Problem}
_RESPONSES: dict[int | str, dict[str, object]] = {403: _REFUSED, 404: _MISSING, 409: _CONFLICT}
Token = Annotated[str, Path(description="As the link carries it.", max_length=2000)]
Key = Annotated[str, Path(description="The subscription's id.", max_length=200)]
Timestamp = Annotated[str, Header(description="Seconds since 1970, of the request.", max_length=20)]
_WORDS = {"acknowledge": ("认领此主题", "Acknowledge this theme"), "fix": ("标记为已修复", "Mark this theme as fixed")}


@router.get("/links/{token}", summary="What a link would do", response_class=HTMLResponse, responses=_RESPONSES)
def look(delivery: DeliveryDep, token: Token) -> HTMLResponse:
    """Show one button; looking changes nothing, because mail programs and chats open links by themselves."""
    link = delivery.hear_back.look(token)
    zh, en = _WORDS[link.action]
    button = f"<form method='post'><button style='font-size:1.5em;padding:.5em 1em'>{zh} · {en}</button></form>"
    return _page(f"<p>{escape(link.theme_id)}</p>{button}")


@router.post("/links/{token}", summary="Do what a link says", response_class=HTMLResponse, responses=_RESPONSES)
def follow(delivery: DeliveryDep, token: Token) -> HTMLResponse:
    """Acknowledge or mark as fixed; doing it twice changes nothing more."""
    heard = delivery.hear_back.by_link(token)
    zh, en = _WORDS[heard.action]
    return _page(f"<p>✓ {zh} · {en}</p><p>{escape(heard.theme_id)}</p>")


@router.post("/webhook/{key}", summary="A decision as a signed webhook", responses=_RESPONSES)
async def webhook(
    request: Request,
    delivery: DeliveryDep,
    key: Key,
    webhook_id: Annotated[str, Header(description="Standard Webhooks id.", max_length=200)],
    webhook_timestamp: Timestamp,
    webhook_signature: Annotated[str, Header(description="Standard Webhooks signature.", max_length=2000)],
) -> HeardBackOut:
    """Take `{"type": "theme.acknowledge" | "theme.fix", "data": {"theme_id": …, "by": …}}`."""
    body = await _body(request)
    heard = await run_in_threadpool(
        delivery.hear_back.by_webhook,
        key,
        message_id=webhook_id,
        timestamp=webhook_timestamp,
        signature=webhook_signature,
        body=body,
    )
    return HeardBackOut(action=heard.action, theme_id=heard.theme_id, by=heard.by)


@router.post("/slack/{key}", summary="A button pressed in Slack", responses=_RESPONSES)
async def slack(
    request: Request,
    delivery: DeliveryDep,
    key: Key,
    x_slack_request_timestamp: Timestamp,
    x_slack_signature: Annotated[str, Header(description="Slack's signature.", max_length=200)],
) -> HeardBackOut:
    """Take an interaction payload of the Slack app whose signing secret the subscription holds."""
    body = await _body(request)
    heard = await run_in_threadpool(
        delivery.hear_back.by_slack,
        key,
        timestamp=x_slack_request_timestamp,
        signature=x_slack_signature,
        body=body,
    )
    return HeardBackOut(action=heard.action, theme_id=heard.theme_id, by=heard.by)


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BODY:
            raise InvalidMessage(f"the body has more than {MOST_BODY} bytes")
    return body


def _page(content: str) -> HTMLResponse:
    return HTMLResponse(
        f"<!doctype html><html lang='zh'><meta charset='utf-8'><title>nlp-service</title><body>{content}</body></html>",
        headers={"Cache-Control": "no-store"},
    )
