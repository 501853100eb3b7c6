"""Stored messages as a caller may see them: those routed to the caller's departments."""

from __future__ import annotations

from collections.abc import Iterator

from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Principal, visible
from nlp_service.core.stored import StoredMessage, Window


def messages_seen(service: Service, principal: Principal, window: Window) -> Iterator[StoredMessage]:
    """Yield the messages of a window whose current labelling is routed to one of the caller's departments."""
    allowed = visible(principal)
    for stored in service.messages.stored(window):
        if allowed is None or stored.labellings[0].route.department in allowed:
            yield stored
