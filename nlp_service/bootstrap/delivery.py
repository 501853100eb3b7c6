"""Delivery put together: the part of the composition root that the server, the worker and the command line share."""

from __future__ import annotations

import asyncio
import os
import random
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from sqlalchemy import make_url

from nlp_service.adapters.db.claims import Claims, Patience
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.delivery_log import DeliveryRecords
from nlp_service.adapters.db.subscriptions import Subscriptions
from nlp_service.adapters.db.tickets import Tickets
from nlp_service.adapters.keyfile import find_or_make
from nlp_service.adapters.sealing import AesSealer, derive_keys
from nlp_service.adapters.senders.http import HookSender, HttpClient
from nlp_service.adapters.senders.jira import JiraSender
from nlp_service.adapters.senders.mail import MailSender, parse_mail_server
from nlp_service.core.delivery.addresses import parse_networks
from nlp_service.core.delivery.events import PRODUCT_TEAM
from nlp_service.core.delivery.formats import HOOKS
from nlp_service.errors import ConfigurationError, NlpServiceError
from nlp_service.flows.deliver import Deliver, PublicAddress, Sampled, Terms
from nlp_service.flows.follow_tickets import FollowTickets
from nlp_service.flows.hear_back import HearBack
from nlp_service.flows.subscribe import Subscribe
from nlp_service.ports import Sender, ThemeDecisions
from nlp_service.settings import Settings

_log = structlog.get_logger(__name__)
_LINKS = "nlp-service action links"


def _now() -> datetime:
    return datetime.now(UTC)


def _not_counted(_channel: str, _verdict: str) -> None:
    """Stand for metrics where nobody reads them."""


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """What routes and commands use."""

    settings: Settings
    subscriptions: Subscriptions
    subscribe: Subscribe
    log: DeliveryRecords
    hear_back: HearBack
    claims: Claims
    tickets: Tickets
    decisions: ThemeDecisions | None
    link_key: bytes
    attempted: Callable[[str, str], None] = _not_counted
    now: Callable[[], datetime] = _now

    def sample(self, key: str) -> Sampled:
        """Send a sample over a subscription now and wait for the answer; raises NotFound."""
        subscription_id = self.subscriptions.get(key).id

        async def send() -> Sampled:
            client = _client(self.settings)
            try:
                return await self.worker(client).sample(subscription_id)
            finally:
                await client.close()

        return asyncio.run(send())

    def worker(self, client: HttpClient) -> Deliver:
        """Return a worker for the running event loop."""
        public = self.settings.public_url
        return Deliver(
            queue=self.claims,
            senders=self._senders(client),
            now=self.now,
            random=random.random,
            terms=_terms(self.settings),
            public=PublicAddress(url=public.rstrip("/"), key=self.link_key) if public else None,
            attempted=self.attempted,
        )

    async def work(self, stop: asyncio.Event) -> None:
        """Deliver until told to stop; look at open tickets now and then."""
        client = _client(self.settings)
        following = asyncio.create_task(self._follow_tickets(client))
        try:
            await self.worker(client).run(stop)
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await client.close()

    def _senders(self, client: HttpClient) -> dict[str, Sender]:
        settings = self.settings
        server = None
        if settings.smtp_url is not None:
            server = parse_mail_server(settings.smtp_url.get_secret_value(), settings.smtp_sender)
        hooks = HookSender(client, clock=self.now)
        return {
            **dict.fromkeys(HOOKS, hooks),
            "email": MailSender(server, timeout=settings.delivery_timeout),
            "jira": JiraSender(client, self.tickets, clock=self.now),
        }

    async def _follow_tickets(self, client: HttpClient) -> None:
        if self.decisions is None:
            return
        follow = FollowTickets(
            tickets=self.tickets,
            subscriptions=self.subscriptions,
            tracker=JiraSender(client, self.tickets, clock=self.now),
            decisions=self.decisions,
            now=self.now,
        )
        while True:
            try:
                await follow.run()
            except NlpServiceError as exc:
                _log.warning("tickets cannot be followed", reason=str(exc))
            await asyncio.sleep(self.settings.ticket_seconds)


class DeliveryThread:
    """A worker in a thread of its own, with its own event loop, beside the server's."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="delivery", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Let the attempts under way end, for some seconds."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(15)
        elif not self._loop.is_closed():  # it was never started
            self._loop.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._delivery.work(self._stop))


def open_delivery(
    settings: Settings,
    database: Database,
    *,
    decisions: ThemeDecisions | None = None,
    departments: Collection[str] | None = None,
    attempted: Callable[[str, str], None] = _not_counted,
) -> Delivery:
    """Put delivery together.

    ``attempted`` is told of each attempt's channel and verdict.

    Raises:
        ConfigurationError: a setting is malformed, or PostgreSQL is used without an encryption key.
    """
    key, file = _encryption(settings)
    sealer = AesSealer.load(key, file=file)
    link_keys = derive_keys(key, file=file, purpose=_LINKS)
    parse_networks(settings.delivery_networks)
    terms = _terms(settings)
    subscriptions = Subscriptions(database, sealer=sealer, clock=_now)
    known = None if departments is None else frozenset({*departments, PRODUCT_TEAM})
    patience = Patience(attempts=len(terms.schedule), first_rest=timedelta(seconds=settings.delivery_rest))
    return Delivery(
        settings=settings,
        subscriptions=subscriptions,
        subscribe=Subscribe(subscriptions, now=_now, random=os.urandom, departments=known),
        log=DeliveryRecords(database),
        hear_back=HearBack(subscriptions=subscriptions, decisions=decisions, link_keys=link_keys, now=_now),
        claims=Claims(database, sealer=sealer, patience=patience),
        tickets=Tickets(database),
        decisions=decisions,
        link_key=link_keys[0],
        attempted=attempted,
    )


def _encryption(settings: Settings) -> tuple[str | None, Path | None]:
    """Return the operator's key, or the file beside the database in which the service keeps one of its own."""
    if settings.encryption_key is not None or settings.encryption_key_file is not None:
        key = settings.encryption_key
        return None if key is None else key.get_secret_value(), settings.encryption_key_file
    if _lacks_key(settings):
        raise ConfigurationError(
            "subscriptions keep secrets and need an encryption key: make one with `openssl rand -base64 32` "
            "and set NLP_SERVICE_ENCRYPTION_KEY, the same on every replica"
        )
    return None, find_or_make(Path(make_url(settings.database).database or "").with_suffix(".key"))


def _client(settings: Settings) -> HttpClient:
    return HttpClient(networks=parse_networks(settings.delivery_networks), timeout=settings.delivery_timeout)


def _terms(settings: Settings) -> Terms:
    try:
        schedule = tuple(float(part) for part in settings.delivery_schedule.split(","))
    except ValueError:
        schedule = ()
    if not schedule or min(schedule) < 0:
        raise ConfigurationError(
            f"delivery_schedule {settings.delivery_schedule!r} is not a list of seconds: write for example 0,5,300"
        )
    return Terms(timeout=timedelta(seconds=settings.delivery_timeout), schedule=schedule)


@contextmanager
def serve_delivery(
    settings: Settings,
    database: Database,
    *,
    decisions: ThemeDecisions | None = None,
    departments: Collection[str] | None = None,
    attempted: Callable[[str, str], None] = _not_counted,
) -> Iterator[Delivery | None]:
    """Deliver beside a server for as long as the block lasts; without an encryption key there are no subscriptions."""
    if _lacks_key(settings):
        _log.info("no subscriptions: on PostgreSQL they need NLP_SERVICE_ENCRYPTION_KEY")
        yield None
        return
    delivery = open_delivery(settings, database, decisions=decisions, departments=departments, attempted=attempted)
    thread = DeliveryThread(delivery)
    if settings.delivery:
        thread.start()
    try:
        yield delivery
    finally:
        thread.close()


def _lacks_key(settings: Settings) -> bool:
    is_given = settings.encryption_key is not None or settings.encryption_key_file is not None
    return not is_given and make_url(settings.database).get_backend_name() != "sqlite"
