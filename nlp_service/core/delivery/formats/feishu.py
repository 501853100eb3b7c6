"""Feishu custom bot: an interactive card. Customers' words are plain text elements, where no markup acts."""

from __future__ import annotations

from typing import Any

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.formats.request import HttpRequest, as_json
from nlp_service.core.delivery.notice import Notice, Shown, fit
from nlp_service.core.delivery.signing import sign_feishu
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.core.delivery.wording import colour, event_headline, facts, headline, notes, word

LIMIT = 20_000  # bytes; the bot takes 20 KB


def compose(notice: Notice, target: Target) -> HttpRequest:
    """Return the card, signed where the bot has a secret."""
    signature: dict[str, str] = {}
    if target.secrets:
        timestamp = int(notice.at.timestamp())
        sign = sign_feishu(target.secrets[0].value, timestamp=timestamp)
        signature = {"timestamp": str(timestamp), "sign": sign}

    def render(shown: Shown) -> bytes:
        return as_json({**signature, "msg_type": "interactive", "card": _card(notice, shown)})

    return HttpRequest(url=target.url or "", body=fit(notice, render, LIMIT))


def _card(notice: Notice, shown: Shown) -> dict[str, Any]:
    elements: list[dict[str, Any]] = []
    for number, event in enumerate(shown.events):
        if number:
            elements.append({"tag": "hr"})
        if len(notice.events) > 1:
            elements.append(_text(event_headline(event, notice.language)))
        elements.extend(_event(notice, event))
    elements.extend({"tag": "note", "elements": [_plain(note)]} for note in notes(notice, shown))
    return {
        "config": {"wide_screen_mode": True},
        "header": {"title": _plain(headline(notice)), "template": colour(notice)},
        "elements": elements,
    }


def _event(notice: Notice, event: ThemeEvent) -> list[dict[str, Any]]:
    language = notice.language
    lines = [f"{name}: {value}" for name, value in facts(event, language)]
    lines += [f"“{quote}”" for quote in event.quotes]
    elements = [_text("\n".join(lines))]
    links = notice.links_of(event)
    choices = (("open", links.theme), ("acknowledge", links.acknowledge), ("fix", links.fix))
    buttons = [
        {
            "tag": "button",
            "text": _plain(word(name, language)),
            "type": "primary" if name == "acknowledge" else "default",
            "url": url,
        }
        for name, url in choices
        if url
    ]
    if buttons:
        elements.append({"tag": "action", "actions": buttons})
    return elements


def _text(content: str) -> dict[str, Any]:
    return {"tag": "div", "text": _plain(content)}


def _plain(content: str) -> dict[str, Any]:
    return {"tag": "plain_text", "content": content}
