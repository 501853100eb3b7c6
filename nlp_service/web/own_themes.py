"""Themes as a caller may see them: whoever is limited to departments reads no word that went to another one.

A theme that concerns several departments is shown to each of them with its name and its numbers; its quotes and
messages only where they were routed to one of the caller's own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Principal, visible
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.labelling import Labelling
from nlp_service.core.themes.values import Quote, Theme
from nlp_service.errors import NotFound
from nlp_service.ports import Heard

_PAGE = 500  # messages looked through at a time


def themes_seen(service: Service, principal: Principal, department: str | None = None) -> list[Theme]:
    """Return the themes that concern a caller; raises Forbidden for a foreign department."""
    allowed = visible(principal, department)
    found = [theme for theme in service.themes.themes() if allowed is None or allowed & set(theme.departments)]
    return _without_foreign_words(service, principal, found)


def theme_seen(service: Service, principal: Principal, theme_id: str) -> Theme:
    """Return one theme; raises NotFound for one that does not concern the caller, as if it were not there."""
    theme, allowed = service.themes.get(theme_id), visible(principal)
    if allowed is not None and not allowed & set(theme.departments):
        raise NotFound(f"there is no theme {theme_id!r}")
    return in_own_words(service, principal, theme)


def in_own_words(service: Service, principal: Principal, theme: Theme) -> Theme:
    """Return a theme that concerns the caller without the quotes of others."""
    return _without_foreign_words(service, principal, [theme])[0]


def heard_seen(service: Service, principal: Principal, theme_id: str, *, limit: int, offset: int = 0) -> list[Heard]:
    """Return a theme's messages that were routed to the caller's departments, newest first."""
    if principal.departments is None:
        return list(service.themes.heard(theme_id, limit=limit, offset=offset))
    own: list[Heard] = []
    start = 0
    while len(own) < offset + limit and (page := service.themes.heard(theme_id, limit=_PAGE, offset=start)):
        routed = service.themes.routed([entry.message_id for entry in page])
        own += [entry for entry in page if routed.get(entry.message_id) in principal.departments]
        start += _PAGE
    return own[offset : offset + limit]


def events_seen(principal: Principal, events: Sequence[ThemeEvent], known: Collection[str]) -> list[ThemeEvent]:
    """Return the events of the themes ``known`` to the caller; their quotes name no message, so they stay inside."""
    own = [event for event in events if event.theme_id in known]
    return own if principal.departments is None else [replace(event, quotes=()) for event in own]


def labellings_seen(service: Service, principal: Principal, given: Sequence[Labelling]) -> Sequence[Labelling]:
    """Return labellings without foreign themes, and without what the history of all departments says of a customer."""
    if principal.departments is None:
        return given
    own = set()
    if any(labelling.themes for labelling in given):
        own = {theme.id for theme in service.themes.themes() if principal.departments & set(theme.departments)}
    return [
        replace(labelling, customer_tags=(), themes=tuple(match for match in labelling.themes if match.theme_id in own))
        for labelling in given
    ]


def _without_foreign_words(service: Service, principal: Principal, themes: list[Theme]) -> list[Theme]:
    if principal.departments is None:
        return themes
    quoted = [quote.message_id for theme in themes for quote in _quotes(theme)]
    routed = service.themes.routed(list(dict.fromkeys(quoted)))
    return [_limited(theme, routed, principal.departments) for theme in themes]


def _limited(theme: Theme, routed: Mapping[str, str], own: Collection[str]) -> Theme:
    def kept(quotes: Sequence[Quote]) -> tuple[Quote, ...]:
        return tuple(quote for quote in quotes if routed.get(quote.message_id) in own)

    return replace(
        theme,
        name=replace(theme.name, quotes=kept(theme.name.quotes)),
        parts=tuple(replace(part, quotes=kept(part.quotes)) for part in theme.parts),
        measure=replace(theme.measure, floods=()) if theme.measure else None,  # copies of a text name no message
    )


def _quotes(theme: Theme) -> list[Quote]:
    return [*theme.name.quotes, *(quote for part in theme.parts for quote in part.quotes)]
