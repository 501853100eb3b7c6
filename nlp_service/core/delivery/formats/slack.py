"""Slack incoming hook: Block Kit, with buttons that Slack sends back to us."""

from __future__ import annotations

from typing import Any

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.formats.request import HttpRequest, as_json
from nlp_service.core.delivery.notice import Notice, Shown, clip, fit
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.core.delivery.wording import event_headline, facts, headline, notes, word

LIMIT = 40_000  # bytes
MOST_BLOCKS = 50
_MOST_HEADER, _MOST_SECTION = 150, 3000  # characters
_BLOCKS_PER_EVENT = 4


def compose(notice: Notice, target: Target) -> HttpRequest:
    """Return the message; ``text`` is what a notification shows."""

    def render(shown: Shown) -> bytes:
        blocks = _blocks(notice, shown, has_way_back=bool(target.inbound_secret))
        return as_json({"text": _escape(headline(notice)), "blocks": blocks})

    body = fit(notice, render, LIMIT, most_events=(MOST_BLOCKS - 4) // _BLOCKS_PER_EVENT)
    return HttpRequest(url=target.url or "", body=body)


def _blocks(notice: Notice, shown: Shown, *, has_way_back: bool) -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = [{"type": "header", "text": _plain(clip(headline(notice), _MOST_HEADER))}]
    for event in shown.events:
        if len(notice.events) > 1:
            blocks.append({"type": "divider"})
            blocks.append({"type": "section", "text": _plain(event_headline(event, notice.language))})
        blocks.extend(_event(notice, event, has_way_back=has_way_back))
    for note in notes(notice, shown):
        blocks.append({"type": "context", "elements": [_plain(note)]})
    return blocks


def _event(notice: Notice, event: ThemeEvent, *, has_way_back: bool) -> list[dict[str, Any]]:
    language = notice.language
    lines = [f"{name}: {value}" for name, value in facts(event, language)] + [f"“{quote}”" for quote in event.quotes]
    blocks: list[dict[str, Any]] = [{"type": "section", "text": _plain(clip_lines(lines))}]
    links = notice.links_of(event)
    buttons = []
    for name, url in (("open", links.theme), ("acknowledge", links.acknowledge), ("fix", links.fix)):
        button: dict[str, Any] = {"type": "button", "action_id": name, "text": _plain(word(name, language))}
        if has_way_back and name != "open":
            buttons.append({**button, "value": event.theme_id})
        elif url:
            buttons.append({**button, "url": url})
    if buttons:
        blocks.append({"type": "actions", "block_id": event.id[:255], "elements": buttons})
    return blocks


def clip_lines(lines: list[str]) -> str:
    """Join lines within what a section takes."""
    text = "\n".join(lines)
    return text if len(text) <= _MOST_SECTION else text[: _MOST_SECTION - 1] + "…"


def _plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text, "emoji": False}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
