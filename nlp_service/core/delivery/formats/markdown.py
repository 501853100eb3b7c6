"""The Markdown that the Chinese chat bots understand: headings, bold, quotes and links."""

from __future__ import annotations

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.notice import Notice, Shown
from nlp_service.core.delivery.wording import event_headline, facts, headline, notes, plain, word


def markdown(notice: Notice, shown: Shown) -> str:
    """Return the whole message."""
    blocks = [f"### {plain(headline(notice))}"]
    for event in shown.events:
        if len(notice.events) > 1:
            blocks.append(f"**{plain(event_headline(event, notice.language))}**")
        blocks.append(_event(notice, event))
    blocks.extend(f"> {plain(note)}" for note in notes(notice, shown))
    return "\n\n".join(blocks)


def _event(notice: Notice, event: ThemeEvent) -> str:
    lines = [f"{name}: {plain(value)}" for name, value in facts(event, notice.language)]
    lines += [f"> “{plain(quote)}”" for quote in event.quotes]
    links = notice.links_of(event)
    choices = (("open", links.theme), ("acknowledge", links.acknowledge), ("fix", links.fix))
    lines.append(" | ".join(f"[{word(name, notice.language)}]({url})" for name, url in choices if url))
    return "\n\n".join(line for line in lines if line)
