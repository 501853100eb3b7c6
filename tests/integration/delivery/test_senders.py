"""Senders against real local servers: SMTP by aiosmtpd, a Jira that keeps issues, the guarded HTTP client."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from nlp_service.adapters.senders.http import HookSender, HttpClient
from nlp_service.adapters.senders.jira import JiraSender
from nlp_service.adapters.senders.mail import MailSender, MailServer, parse_mail_server
from nlp_service.core.delivery.addresses import parse_networks
from nlp_service.core.delivery.notice import Notice
from nlp_service.core.delivery.outcome import Outcome
from nlp_service.core.delivery.records import Parcel, Ticket
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.subscriptions import Subscription, Target
from nlp_service.errors import ConfigurationError
from tests.receivers import Receivers, receive

AT = datetime.now(UTC)
LOOPBACK = parse_networks("127.0.0.0/8")


def parcel(channel: str, target: Target, *, is_first: bool = True, **fields: Any) -> Parcel:
    event = replace(sample_event("evt_1", at=AT), theme_id="thm_1", **fields)
    notice = Notice(id="dlv_1", form="event", events=(event,), at=AT)
    return Parcel(
        notice=notice,
        subscription=Subscription(id="sub_1", name="team", channel=channel),
        target=target,
        is_first=is_first,
    )


class Mailbox:
    """An SMTP handler that keeps what it gets and refuses whom it is told to."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.refused: dict[str, str] = {}
        self.data_answer = "250 taken"

    async def handle_RCPT(  # noqa: N802  # the name that aiosmtpd looks for
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.messages.append(bytes(envelope.content or b""))
        return self.data_answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, MailServer]]:
    handler = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=port, ready_timeout=60)
    controller.start()
    yield handler, MailServer(host="127.0.0.1", port=port, sender="反馈 <feedback@shop.example>")
    controller.stop()


def mail(server: MailServer | None, *to: str, **fields: Any) -> Outcome:
    return asyncio.run(MailSender(server, timeout=60).send(parcel("email", Target(to=to), **fields)))


def test_mail_arrives_readable_with_a_stable_id(mailbox: tuple[Mailbox, MailServer]) -> None:
    handler, server = mailbox
    assert mail(server, "a@team.example", "b@team.example").kind == "delivered"
    assert mail(server, "a@team.example").kind == "delivered"
    parsed = [message_from_bytes(content, policy=policy.default) for content in handler.messages]
    assert {message["Message-ID"] for message in parsed} == {"<dlv_1@shop.example>"}
    assert "说明书看不懂" in parsed[0]["Subject"]
    assert "15.0%" in parsed[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_mail_answers_become_outcomes(mailbox: tuple[Mailbox, MailServer]) -> None:
    handler, server = mailbox
    handler.refused = {"gone@t.example": "550 no such user", "full@t.example": "452 mailbox full"}
    assert mail(server, "gone@t.example").kind == "gone"
    assert mail(server, "full@t.example").kind == "refused"
    part = mail(server, "gone@t.example", "here@t.example")
    assert (part.kind, part.detail) == ("delivered", "refused for gone@t.example")
    handler.data_answer = "451 try later"
    assert (mail(server, "a@t.example").kind, mail(server, "a@t.example").status) == ("refused", 451)
    handler.data_answer = "554 not like this"
    assert mail(server, "a@t.example").kind == "invalid"


def test_mail_without_a_server_or_with_a_password_in_the_clear(mailbox: tuple[Mailbox, MailServer]) -> None:
    handler, server = mailbox
    assert "NLP_SERVICE_SMTP_URL" in mail(None, "a@t.example").detail
    outcome = mail(replace(server, user="u", password="p"), "a@t.example")
    assert "STARTTLS" in outcome.detail
    assert mail(replace(server, port=1), "a@t.example").kind == "unreachable"
    assert handler.messages == []


def test_mail_server_setting() -> None:
    server = parse_mail_server("smtps://me%40x:p%2Fw@mail.example", "a@b.example")
    assert (server.host, server.port, server.user, server.password) == ("mail.example", 465, "me@x", "p/w")
    assert "p/w" not in repr(server)
    for wrong in ("mail.example:25", "http://mail.example", "smtp://mail.example:port"):
        with pytest.raises(ConfigurationError, match="smtp://"):
            parse_mail_server(wrong, "a@b.example")


class MemoryTickets:
    """ports.TicketStore in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], Ticket] = {}

    def find(self, subscription_id: str, theme_id: str) -> Ticket | None:
        return self.kept.get((subscription_id, theme_id))

    def keep(self, ticket: Ticket, *, at: datetime) -> None:
        self.kept[(ticket.subscription_id, ticket.theme_id)] = ticket

    def open_tickets(self) -> tuple[Ticket, ...]:
        return tuple(ticket for ticket in self.kept.values() if ticket.state == "open")


API = "/rest/api/3"


def status(category: str) -> str:
    return json.dumps({"fields": {"status": {"statusCategory": {"key": category}}}, "properties": {}})


@pytest.fixture
def jira() -> Iterator[tuple[Receivers, Target, MemoryTickets]]:
    with receive() as receivers:
        receivers.scripted = {
            f"POST {API}/issue": [(201, '{"key": "PROD-1"}')],
            f"POST {API}/issue/PROD-1/comment": [(201, '{"id": "7"}')],
            f"GET {API}/issue/PROD-1": [(200, status("new"))],
            f"GET {API}/issue/PROD-1/comment": [(200, '{"comments": []}')],
            f"GET {API}/search/jql": [(200, '{"issues": []}')],
            f"GET {API}/issue/PROD-1/transitions": [
                (200, '{"transitions": [{"id": "31", "to": {"statusCategory": {"key": "done"}}}]}')
            ],
            f"POST {API}/issue/PROD-1/transitions": [(204, "")],
        }
        target = Target(url=receivers.url, user="me", token="t0ken", project="PROD")
        yield receivers, target, MemoryTickets()


def ticketed(target: Target, tickets: MemoryTickets, **fields: Any) -> Outcome:
    async def send() -> Outcome:
        client = HttpClient(networks=LOOPBACK, timeout=60)
        try:
            sender = JiraSender(client, tickets, clock=lambda: AT)
            return await sender.send(parcel("jira", target, **fields))
        finally:
            await client.close()

    return asyncio.run(send())


def test_jira_creates_once_and_comments_later(jira: tuple[Receivers, Target, MemoryTickets]) -> None:
    receivers, target, tickets = jira
    assert ticketed(target, tickets).detail == "PROD-1"
    assert ticketed(target, tickets).kind == "delivered"
    created = receivers.of(f"{API}/issue")
    assert len(created) == 1
    assert created[0].headers["authorization"].startswith("Basic ")
    assert created[0].document["fields"]["project"] == {"key": "PROD"}
    assert len(receivers.of(f"{API}/issue/PROD-1/comment")) == 1


def test_jira_looks_before_it_creates_again(jira: tuple[Receivers, Target, MemoryTickets]) -> None:
    receivers, target, tickets = jira
    receivers.scripted[f"GET {API}/search/jql"] = [(200, '{"issues": [{"key": "PROD-1"}]}')]
    written = {"properties": {"nlp-service.event": {"event": "evt_1"}}, **json.loads(status("new"))}
    written["properties"] = {"nlp-service.event": {"event": "evt_1"}}
    receivers.scripted[f"GET {API}/issue/PROD-1"] = [(200, json.dumps(written))]
    assert ticketed(target, tickets, is_first=False).kind == "delivered"
    assert receivers.of(f"{API}/issue") == []
    assert [entry.path.partition("?")[0] for entry in receivers.requests if entry.body] == []
    assert tickets.kept[("sub_1", "thm_1")].issue == "PROD-1"


def test_jira_issue_follows_the_theme(jira: tuple[Receivers, Target, MemoryTickets]) -> None:
    receivers, target, tickets = jira
    ticketed(target, tickets)
    ticketed(target, tickets, kind="fixed")
    moves = [entry for entry in receivers.of(f"{API}/issue/PROD-1/transitions") if entry.body]
    assert [entry.document for entry in moves] == [{"transition": {"id": "31"}}]
    assert tickets.kept[("sub_1", "thm_1")].state == "closed"


@pytest.mark.parametrize(
    ("answer", "kind"), [((401, "who?"), "refused"), ((429, ""), "throttled"), ((201, "x"), "refused")]
)
def test_jira_answers_become_outcomes(
    jira: tuple[Receivers, Target, MemoryTickets], answer: tuple[int, str], kind: str
) -> None:
    receivers, target, tickets = jira
    receivers.scripted[f"POST {API}/issue"] = [answer]
    assert ticketed(target, tickets).kind == kind
    assert tickets.kept == {}


def hook(url: str, *, networks: str = "127.0.0.0/8", timeout: float = 60) -> Outcome:
    async def send() -> Outcome:
        client = HttpClient(networks=parse_networks(networks), timeout=timeout)
        try:
            return await HookSender(client, clock=lambda: AT).send(parcel("slack", Target(url=url)))
        finally:
            await client.close()

    return asyncio.run(send())


def test_names_and_spellings_of_private_addresses_are_seen_through() -> None:
    with receive() as receivers:
        port = receivers.url.rpartition(":")[2]
        for host in ("localhost", "127.1", "2130706433", "0x7f000001", "127.0.0.1", "[::ffff:127.0.0.1]"):
            assert hook(f"http://{host}:{port}/ok", networks="").kind in {"forbidden", "unreachable"}, host
            assert hook(f"https://{host}:{port}/ok", networks="").kind in {"forbidden", "unreachable"}, host
        assert receivers.requests == []
        assert hook(f"http://127.0.0.1:{port}/ok").kind == "delivered"


def test_http_faults_become_outcomes() -> None:
    with receive() as receivers:
        assert hook(f"{receivers.url}/moved").detail.startswith("redirects are not followed")
        assert receivers.of("/ok") == []
        assert hook(f"{receivers.url}/cut").kind == "unreachable"
        assert hook(f"{receivers.url}/hang", timeout=1).detail == "no answer within 1 seconds"
        assert hook(f"{receivers.url}/drip", timeout=1).detail == "no answer within 1 seconds"
        assert hook("http://127.0.0.1:1/").kind == "unreachable"
        assert hook("http://no-such-host.invalid/").kind == "unreachable"
        assert hook("http://[broken/").kind in {"unreachable", "forbidden"}
        assert hook("gopher://127.0.0.1/").kind == "forbidden"
