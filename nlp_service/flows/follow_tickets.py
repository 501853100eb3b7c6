"""Follow tickets: an issue that people closed marks its theme as fixed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Protocol

import structlog

from nlp_service.core.delivery.records import Ticket
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.errors import Conflict, NotFound
from nlp_service.ports import SubscriptionStore, ThemeDecisions, TicketStore

_log = structlog.get_logger(__name__)


class Tracker(Protocol):
    async def is_done(self, ticket: Ticket, target: Target) -> bool | None:
        """Tell whether people closed an issue; None where the tracker does not say."""
        ...


class FollowTickets:
    """Looks at every open ticket; idempotent, so that several workers may run it."""

    def __init__(
        self,
        *,
        tickets: TicketStore,
        subscriptions: SubscriptionStore,
        tracker: Tracker,
        decisions: ThemeDecisions,
        now: Callable[[], datetime],
    ) -> None:
        self._tickets = tickets
        self._subscriptions = subscriptions
        self._tracker = tracker
        self._decisions = decisions
        self._now = now

    async def run(self) -> int:
        """Return how many themes were marked as fixed."""
        fixed = 0
        targets: dict[str, Target] = {}
        for ticket in await asyncio.to_thread(self._tickets.open_tickets):
            key = ticket.subscription_id
            if key not in targets:
                targets[key] = await asyncio.to_thread(self._subscriptions.target, key)
            if await self._tracker.is_done(ticket, targets[key]):
                await asyncio.to_thread(self._close, ticket)
                fixed += 1
        return fixed

    def _close(self, ticket: Ticket) -> None:
        try:
            self._decisions.fix(ticket.theme_id, by=f"issue {ticket.issue}", at=self._now())
        except (NotFound, Conflict) as exc:
            _log.warning("closed issue does not mark its theme", issue=ticket.issue, reason=str(exc))
        closed = Ticket(**{**vars(ticket), "state": "closed"})
        self._tickets.keep(closed, at=self._now())
