"""Jira: one issue for each theme, a comment for each later event, and whether people closed it.

Jira offers no idempotency key: after an attempt whose answer is unknown the issue is looked for by its label, and a
comment by the event that it carries.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlencode

from nlp_service.adapters.senders.http import Answer, HttpClient, Unreached
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.formats import jira
from nlp_service.core.delivery.formats.request import JSON_HEADERS, HttpRequest, as_json
from nlp_service.core.delivery.outcome import KEPT_ANSWER, Outcome, read_answer
from nlp_service.core.delivery.records import Parcel, Ticket
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.ports import TicketStore

_DONE, _OPEN = "done", "new"  # status categories; names of statuses are the team's own
_TARGET_CATEGORY = {"fixed": _DONE, "dismissed": _DONE, "recurred": _OPEN, "fix_failed": _OPEN}


class _Refused(Exception):
    """Jira answered, but not with success."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class JiraSender:
    """ports.Sender for Jira, and ports.Tracker."""

    def __init__(self, client: HttpClient, tickets: TicketStore, *, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._tickets = tickets
        self._clock = clock

    async def send(self, parcel: Parcel) -> Outcome:
        """Create the issues that are missing and comment on those that are there."""
        try:
            written = [await self._write(parcel, event) for event in parcel.notice.events]
        except Unreached as exc:
            return exc.outcome
        except _Refused as exc:
            answer = exc.answer
            return read_answer("jira", answer.status, answer.headers, answer.body, now=self._clock())
        except (ValueError, KeyError, TypeError) as exc:
            return Outcome(kind="refused", detail=f"answer not understood: {exc!r}"[:KEPT_ANSWER])
        return Outcome(kind="delivered", status=201, detail=", ".join(written)[:KEPT_ANSWER])

    async def is_done(self, ticket: Ticket, target: Target) -> bool | None:
        """Tell whether people closed the issue; None where Jira does not say."""
        try:
            found = await self._call(target, "GET", f"/issue/{quote(ticket.issue)}?fields=status")
            return bool(found["fields"]["status"]["statusCategory"]["key"] == _DONE)
        except (Unreached, _Refused, ValueError, KeyError, TypeError):
            return None

    async def _write(self, parcel: Parcel, event: ThemeEvent) -> str:
        target, subscription = parcel.target, parcel.subscription
        if parcel.notice.form == "sample":
            created = await self._call(target, "POST", "/issue", jira.issue(parcel.notice, event, target))
            return str(created["key"])
        ticket = self._tickets.find(subscription.id, event.theme_id)
        issue = ticket.issue if ticket else None
        if issue is None and not parcel.is_first:
            issue = await self._search(target, event)
        if issue is None:
            created = await self._call(target, "POST", "/issue", jira.issue(parcel.notice, event, target))
            issue = str(created["key"])
        elif not await self._tells_of(parcel, event, issue):
            await self._call(target, "POST", f"/issue/{quote(issue)}/comment", jira.comment(parcel.notice, event))
        state = await self._follow(target, event, issue, ticket)
        self._tickets.keep(
            Ticket(subscription_id=subscription.id, theme_id=event.theme_id, issue=issue, state=state), at=self._clock()
        )
        return issue

    async def _search(self, target: Target, event: ThemeEvent) -> str | None:
        query = {
            "jql": f'project = "{target.project}" AND labels = "{jira.theme_label(event.theme_id)}"',
            "fields": "status",
            "maxResults": "1",
        }
        found = await self._call(target, "GET", f"/search/jql?{urlencode(query)}")
        return str(found["issues"][0]["key"]) if found["issues"] else None

    async def _tells_of(self, parcel: Parcel, event: ThemeEvent, issue: str) -> bool:
        """Tell whether an earlier attempt wrote the event, as the issue itself or as a comment."""
        if parcel.is_first:
            return False
        own = await self._call(parcel.target, "GET", f"/issue/{quote(issue)}?fields=status&properties=*all")
        newest = "orderBy=-created&maxResults=50&expand=properties"
        found = await self._call(parcel.target, "GET", f"/issue/{quote(issue)}/comment?{newest}")
        values = [own.get("properties", {}).get(jira.EVENT_PROPERTY, {})]
        for comment in found["comments"]:
            values += [entry["value"] for entry in comment.get("properties", []) if entry["key"] == jira.EVENT_PROPERTY]
        return any(value.get("event") == event.id for value in values)

    async def _follow(self, target: Target, event: ThemeEvent, issue: str, ticket: Ticket | None) -> str:
        """Move the issue where the event asks for it; returns the ticket's state."""
        known = ticket.state if ticket else "open"
        category = _TARGET_CATEGORY.get(event.kind)
        if category is None:
            return known
        wanted = "closed" if category == _DONE else "open"
        found = await self._call(target, "GET", f"/issue/{quote(issue)}?fields=status")
        is_done = found["fields"]["status"]["statusCategory"]["key"] == _DONE
        if is_done == (category == _DONE):
            return wanted
        offered = await self._call(target, "GET", f"/issue/{quote(issue)}/transitions")
        for transition in offered["transitions"]:
            if (transition["to"]["statusCategory"]["key"] == _DONE) == (category == _DONE):
                body = {"transition": {"id": transition["id"]}}
                await self._call(target, "POST", f"/issue/{quote(issue)}/transitions", body)
                return wanted
        return known  # the team's workflow offers no such step from here

    async def _call(self, target: Target, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        credentials = base64.b64encode(f"{target.user}:{target.token}".encode()).decode()
        headers = {**JSON_HEADERS, "accept": "application/json", "authorization": f"Basic {credentials}"}
        url = f"{(target.url or '').rstrip('/')}/rest/api/3{path}"
        content = b"" if body is None else as_json(body)
        answer = await self._client.exchange(HttpRequest(method=method, url=url, headers=headers, body=content))
        if not 200 <= answer.status < 300:
            raise _Refused(answer)
        return json.loads(answer.body) if answer.body else {}
