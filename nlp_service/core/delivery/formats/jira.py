"""A Jira issue for a theme, and a comment for what happens to it later, in the Atlassian document format."""

from __future__ import annotations

import hashlib
from typing import Any

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.notice import Cut, Notice, clip, show
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.core.delivery.wording import event_headline, facts, notes, word

_MOST_SUMMARY = 250  # characters; 255 are taken
EVENT_PROPERTY = "nlp-service.event"  # on an issue or a comment: the event that it tells of


def theme_label(theme_id: str) -> str:
    """Return the label by which the issue of a theme is found again: no spaces, at most 255 characters."""
    readable = "".join(char if char.isascii() and (char.isalnum() or char in "-_") else "-" for char in theme_id)[:80]
    return f"nlp-theme-{readable}-{hashlib.sha256(theme_id.encode()).hexdigest()[:8]}"


def issue(notice: Notice, event: ThemeEvent, target: Target) -> dict[str, Any]:
    """Return the body of POST /rest/api/3/issue."""
    return {
        "fields": {
            "project": {"key": target.project},
            "issuetype": {"name": target.issue_type},
            "summary": clip(event_headline(event, notice.language), _MOST_SUMMARY),
            "description": _document(notice, event),
            "labels": ["nlp-service", theme_label(event.theme_id)],
        },
        "properties": [{"key": EVENT_PROPERTY, "value": {"event": event.id}}],
    }


def comment(notice: Notice, event: ThemeEvent) -> dict[str, Any]:
    """Return the body of POST /rest/api/3/issue/{key}/comment."""
    title = {"type": "paragraph", "content": [_text(event_headline(event, notice.language), strong=True)]}
    document = _document(notice, event)
    document["content"].insert(0, title)
    return {"body": document, "properties": [{"key": EVENT_PROPERTY, "value": {"event": event.id}}]}


def _document(notice: Notice, event: ThemeEvent) -> dict[str, Any]:
    shown = show(notice, Cut())
    visible = next(found for found in shown.events if found.id == event.id)
    content: list[dict[str, Any]] = [_paragraph(f"{name}: {value}") for name, value in facts(visible, notice.language)]
    content += [{"type": "blockquote", "content": [_paragraph(quote)]} for quote in visible.quotes if quote]
    links = notice.links_of(event)
    choices = (("open", links.theme), ("acknowledge", links.acknowledge), ("fix", links.fix))
    content += [
        {"type": "paragraph", "content": [_text(word(name, notice.language), link=url)]} for name, url in choices if url
    ]
    content += [_paragraph(note) for note in notes(notice, shown)]
    return {"type": "doc", "version": 1, "content": content}


def _paragraph(text: str) -> dict[str, Any]:
    return {"type": "paragraph", "content": [_text(text)]}


def _text(text: str, *, strong: bool = False, link: str | None = None) -> dict[str, Any]:
    marks: list[dict[str, Any]] = [{"type": "strong"}] if strong else []
    if link is not None:
        marks.append({"type": "link", "attrs": {"href": link}})
    return {"type": "text", "text": text, **({"marks": marks} if marks else {})}
