"""A mail with a plain and an HTML part; its Message-ID is the delivery's, the same on every attempt."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.notice import Cut, Notice, Shown, clip, show
from nlp_service.core.delivery.wording import event_headline, facts, headline, notes, word

_MOST_SUBJECT = 150


def compose(notice: Notice, *, sender: str, to: tuple[str, ...]) -> EmailMessage:
    """Return the message; ``sender`` is `name <address>` or an address."""
    shown = show(notice, Cut())
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = ", ".join(to)
    message["Subject"] = clip(headline(notice), _MOST_SUBJECT)
    message["Date"] = format_datetime(notice.at)
    message["Message-ID"] = f"<{notice.id}@{sender.rpartition('@')[2].strip('> ')}>"
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answering machine answers
    message.set_content(_text(notice, shown), charset="utf-8")
    message.add_alternative(_html(notice, shown), subtype="html", charset="utf-8")
    return message


def _text(notice: Notice, shown: Shown) -> str:
    lines = [headline(notice), ""]
    for event in shown.events:
        if len(notice.events) > 1:
            lines.append(event_headline(event, notice.language))
        lines += [f"{name}: {value}" for name, value in facts(event, notice.language)]
        lines += [f"> {quote}" for quote in event.quotes]
        lines += [f"{word(name, notice.language)}: {url}" for name, url in _links(notice, event)]
        lines.append("")
    lines += notes(notice, shown)
    return "\n".join(lines)


def _html(notice: Notice, shown: Shown) -> str:
    blocks = [f"<h2>{escape(headline(notice))}</h2>"]
    for event in shown.events:
        if len(notice.events) > 1:
            blocks.append(f"<h3>{escape(event_headline(event, notice.language))}</h3>")
        rows = "".join(
            f"<tr><th align='left'>{escape(name)}</th><td>{escape(value)}</td></tr>"
            for name, value in facts(event, notice.language)
        )
        blocks.append(f"<table cellpadding='4'>{rows}</table>")
        blocks += [f"<blockquote>{escape(quote)}</blockquote>" for quote in event.quotes]
        links = [
            f"<a href='{escape(url)}'>{escape(word(name, notice.language))}</a>" for name, url in _links(notice, event)
        ]
        blocks.append(f"<p>{' · '.join(links)}</p>" if links else "")
    blocks += [f"<p><small>{escape(note)}</small></p>" for note in notes(notice, shown)]
    return f"<html lang='{notice.language}'><body>{''.join(blocks)}</body></html>"


def _links(notice: Notice, event: ThemeEvent) -> list[tuple[str, str]]:
    links = notice.links_of(event)
    choices = (("open", links.theme), ("acknowledge", links.acknowledge), ("fix", links.fix))
    return [(name, url) for name, url in choices if url]
