"""The way back from a channel: links, signed webhooks, buttons of Slack, closed issues."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest

from nlp_service.core.delivery.links import ActionLink, sign_link
from nlp_service.core.delivery.records import Ticket
from nlp_service.core.delivery.signing import new_webhook_secret, sign_slack, sign_webhook
from nlp_service.core.delivery.subscriptions import Secret, Target
from nlp_service.errors import Conflict, Forbidden, InputError, NotFound
from nlp_service.flows.follow_tickets import FollowTickets
from nlp_service.flows.hear_back import HearBack
from nlp_service.flows.subscribe import Subscribe
from tests.integration.delivery.conftest import Stores

KEY = b"k" * 32
SECRET = new_webhook_secret(b"s" * 32)


@dataclass
class Decisions:
    """ports.ThemeDecisions that remembers; themes beginning with `no` are unknown."""

    made: list[tuple[str, str, str]] = field(default_factory=list)

    def acknowledge(self, theme_id: str, *, by: str, at: datetime) -> None:
        self._note("acknowledge", theme_id, by)

    def fix(self, theme_id: str, *, by: str, at: datetime) -> None:
        self._note("fix", theme_id, by)

    def _note(self, action: str, theme_id: str, by: str) -> None:
        if theme_id.startswith("no"):
            raise NotFound(f"no theme {theme_id}")
        self.made.append((action, theme_id, by))


@pytest.fixture
def decisions() -> Decisions:
    return Decisions()


@pytest.fixture
def hear_back(stores: Stores, decisions: Decisions) -> HearBack:
    subscribe = Subscribe(stores.subscriptions, now=stores.clock, random=lambda size: b"r" * size)
    url = "https://hooks.example/x"
    subscribe.create(name="hook", channel="webhook", target=Target(url=url, secrets=(Secret(value=SECRET),)), by="test")
    subscribe.create(name="chat", channel="slack", target=Target(url=url, inbound_secret="sl4ck"), by="test")
    return HearBack(subscriptions=stores.subscriptions, decisions=decisions, link_keys=[KEY], now=stores.clock)


def test_link_decides_until_it_expires(stores: Stores, hear_back: HearBack, decisions: Decisions) -> None:
    own = stores.subscriptions.get("hook").id
    expires = stores.clock.now + timedelta(days=14)
    link = ActionLink(action="fix", theme_id="thm_1", subscription_id=own, expires_at=expires)
    token = sign_link(link, KEY)
    assert hear_back.look(token).theme_id == "thm_1"
    assert decisions.made == []
    hear_back.by_link(token)
    assert decisions.made == [("fix", "thm_1", "link of hook")]
    stores.advance(days=15)
    with pytest.raises(Forbidden, match="expired"):
        hear_back.by_link(token)


def webhook(stores: Stores, hear_back: HearBack, body: bytes, *, secret: str = SECRET, key: str = "hook") -> None:
    timestamp = int(stores.clock.now.timestamp())
    signature = sign_webhook([secret], message_id="m", timestamp=timestamp, body=body)
    hear_back.by_webhook(key, message_id="m", timestamp=str(timestamp), signature=signature, body=body)


def test_signed_webhook_decides(stores: Stores, hear_back: HearBack, decisions: Decisions) -> None:
    body = {"type": "theme.acknowledge", "data": {"theme_id": "thm_1", "by": "王\n小明"}}
    webhook(stores, hear_back, json.dumps(body).encode())
    assert decisions.made == [("acknowledge", "thm_1", "王 小明 (hook)")]


@pytest.mark.parametrize(
    ("body", "error", "named"),
    [
        (b"no json", InputError, "JSON object"),
        (b"[]", InputError, "JSON object"),
        (b'{"type": "theme.fix", "data": {}}', InputError, "theme_id"),
        (b'{"type": "theme.explode", "data": {"theme_id": "t"}}', InputError, "explode"),
        (b'{"type": "theme.fix", "data": {"theme_id": "none"}}', NotFound, "none"),
    ],
)
def test_webhook_of_the_wrong_form(
    stores: Stores, hear_back: HearBack, decisions: Decisions, body: bytes, error: type[Exception], named: str
) -> None:
    with pytest.raises(error, match=named):
        webhook(stores, hear_back, body)
    assert decisions.made == []


def test_webhook_without_the_right_signature(stores: Stores, hear_back: HearBack, decisions: Decisions) -> None:
    body = b'{"type": "theme.fix", "data": {"theme_id": "thm_1"}}'
    for secret, key in ((new_webhook_secret(b"o" * 32), "hook"), (SECRET, "nobody"), (SECRET, "chat")):
        with pytest.raises(Forbidden):
            webhook(stores, hear_back, body, secret=secret, key=key)
    assert decisions.made == []


def test_button_of_slack_decides(stores: Stores, hear_back: HearBack, decisions: Decisions) -> None:
    payload = {"user": {"username": "li"}, "actions": [{"action_id": "acknowledge", "value": "thm_1"}]}
    body = urlencode({"payload": json.dumps(payload)}).encode()
    timestamp = int(stores.clock.now.timestamp())
    signature = sign_slack("sl4ck", timestamp=timestamp, body=body)
    hear_back.by_slack("chat", timestamp=str(timestamp), signature=signature, body=body)
    assert decisions.made == [("acknowledge", "thm_1", "li (chat)")]
    stores.advance(minutes=6)
    with pytest.raises(Forbidden):
        hear_back.by_slack("chat", timestamp=str(timestamp), signature=signature, body=body)


def test_rotation_signs_with_both_for_a_day(stores: Stores, hear_back: HearBack) -> None:
    subscribe = Subscribe(stores.subscriptions, now=stores.clock, random=lambda size: b"n" * size)
    made = subscribe.rotate("hook", by="test").secret
    secrets = stores.subscriptions.target("hook").secrets
    assert [entry.value for entry in secrets] == [made, SECRET]
    assert secrets[1].until == stores.clock.now + timedelta(days=1)
    with pytest.raises(Conflict, match="slack"):
        subscribe.rotate("chat", by="test")


def test_unknown_department_is_named(stores: Stores) -> None:
    from nlp_service.core.delivery.subscriptions import Filter

    subscribe = Subscribe(stores.subscriptions, now=stores.clock, random=bytes, departments={"logistics"})
    with pytest.raises(InputError, match="logistics"):
        subscribe.create(
            name="x",
            channel="slack",
            target=Target(url="https://x.example"),
            wanted=Filter(departments=("logistic",)),
            by="test",
        )


class ClosedTracker:
    """Says of every issue that people closed it."""

    async def is_done(self, ticket: Ticket, target: Target) -> bool | None:
        assert target.url
        return ticket.issue != "P-2"


def test_closed_issue_marks_its_theme_as_fixed_once(stores: Stores, decisions: Decisions) -> None:
    subscription = stores.subscribe(channel="jira")
    for number in (1, 2):
        ticket = Ticket(subscription_id=subscription.id, theme_id=f"thm_{number}", issue=f"P-{number}", state="open")
        stores.tickets.keep(ticket, at=stores.clock.now)
    follow = FollowTickets(
        tickets=stores.tickets,
        subscriptions=stores.subscriptions,
        tracker=ClosedTracker(),
        decisions=decisions,
        now=stores.clock,
    )
    assert asyncio.run(follow.run()) == 1
    assert asyncio.run(follow.run()) == 0
    assert decisions.made == [("fix", "thm_1", "issue P-1")]
