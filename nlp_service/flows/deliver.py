"""Deliver: claim what is due, make the attempt, record what came of it; any number of workers at once."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.links import LIFETIME, ActionLink, sign_link
from nlp_service.core.delivery.notice import Links, Notice
from nlp_service.core.delivery.outcome import KEPT_ANSWER, Outcome
from nlp_service.core.delivery.records import Claim, Parcel
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.verdict import SCHEDULE, Verdict, decide
from nlp_service.errors import NlpServiceError
from nlp_service.ports import DeliveryQueue, Sender

_log = structlog.get_logger(__name__)
RECORD_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How deliveries are made."""

    timeout: timedelta = timedelta(seconds=20)  # of one attempt
    concurrency: int = 32  # attempts under way in one worker
    poll: timedelta = timedelta(milliseconds=250)  # between looks for work
    drain: timedelta = timedelta(seconds=8)  # for attempts under way when told to stop
    schedule: tuple[float, ...] = SCHEDULE

    @property
    def lease(self) -> timedelta:
        """How long a dead worker's deliveries wait; an attempt and its record fit in well."""
        return self.timeout * 1.5 + timedelta(seconds=2)


@dataclass(frozen=True, kw_only=True)
class PublicAddress:
    """Where readers of a message come back to."""

    url: str  # without a slash at the end
    key: bytes  # signs links

    def links(self, event: ThemeEvent, subscription_id: str, *, now: datetime) -> Links:
        def action(name: str) -> str:
            link = ActionLink(
                action=name, theme_id=event.theme_id, subscription_id=subscription_id, expires_at=now + LIFETIME
            )
            return f"{self.url}/inbound/links/{sign_link(link, self.key)}"

        if event.kind == "drift":  # of a model: nothing to take on or to fix from here
            return Links(theme=f"{self.url}/ui/models")
        theme = f"{self.url}/themes/{event.theme_id}"
        return Links(theme=theme, acknowledge=action("acknowledge"), fix=action("fix"))


@dataclass(frozen=True, kw_only=True)
class Sampled:
    delivery_id: str
    outcome: Outcome


class Deliver:
    """One worker; ``run`` until told to stop."""

    def __init__(
        self,
        *,
        queue: DeliveryQueue,
        senders: Mapping[str, Sender],
        now: Callable[[], datetime],
        random: Callable[[], float],
        terms: Terms | None = None,
        public: PublicAddress | None = None,
        attempted: Callable[[str, str], None] = lambda _channel, _verdict: None,
    ) -> None:
        self._queue = queue
        self._senders = senders
        self._now = now
        self._random = random
        self._terms = terms or Terms()
        self._public = public
        self._attempted = attempted  # told of each attempt's channel and verdict
        self._name = uuid.uuid4().hex

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop`` is set, then let the attempts under way end."""
        under_way: set[asyncio.Task[None]] = set()
        stopping = asyncio.create_task(stop.wait())
        while not stop.is_set():
            for claim in await self._claim(self._terms.concurrency - len(under_way)):
                under_way.add(asyncio.create_task(self._settle(claim)))
            await asyncio.wait(
                under_way | {stopping}, timeout=self._terms.poll.total_seconds(), return_when=asyncio.FIRST_COMPLETED
            )
            under_way = {task for task in under_way if not task.done()}
        stopping.cancel()
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=self._terms.drain.total_seconds())
            for task in late:  # their lease ends by itself and another attempt is made
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def sample(self, subscription_id: str) -> Sampled:
        """Send a made-up event at once, whatever the subscription's state; raises NotFound."""
        event = sample_event(f"evt_sample_{uuid.uuid4().hex}", at=self._now())
        claim = await asyncio.to_thread(
            self._queue.claim_sample,
            subscription_id,
            event,
            token=self._name,
            now=self._now(),
            lease=self._terms.lease,
        )
        outcome = await self._attempt(claim)
        await self._record(claim, outcome)
        return Sampled(delivery_id=claim.delivery_id, outcome=outcome)

    async def _claim(self, room: int) -> tuple[Claim, ...]:
        if room <= 0:
            return ()
        try:
            if not await asyncio.to_thread(self._queue.has_due, now=self._now()):
                return ()
            return await asyncio.to_thread(
                self._queue.claim, token=self._name, now=self._now(), lease=self._terms.lease, limit=room
            )
        except NlpServiceError as exc:
            _log.warning("deliveries cannot be claimed", reason=str(exc))
            await asyncio.sleep(1)
            return ()

    async def _settle(self, claim: Claim) -> None:
        if claim.lease_until - self._now() < self._terms.timeout:  # the machine slept: not ours for long enough
            await asyncio.to_thread(self._queue.give_back, claim, now=self._now())
            return
        outcome = await self._attempt(claim)
        await self._record(claim, outcome)

    async def _attempt(self, claim: Claim) -> Outcome:
        """Send; a fault of our own counts as a refused attempt and must not stop the worker."""
        try:
            return await self._senders[claim.subscription.channel].send(self._parcel(claim))
        except Exception as exc:
            _log.exception("attempt failed inside", delivery=claim.delivery_id)
            return Outcome(kind="refused", detail=f"inside the service: {type(exc).__name__}"[:KEPT_ANSWER])

    async def _record(self, claim: Claim, outcome: Outcome) -> None:
        now = self._now()
        verdict = decide(
            outcome, failures=claim.failures, now=now, random=self._random(), schedule=self._terms.schedule
        )
        self._tell(claim, outcome, verdict)
        while True:
            try:
                await asyncio.to_thread(self._queue.record, claim, outcome, verdict, now=now)
                return
            except Exception as exc:  # storage away, or a deadlock resolved against us
                if self._now() > claim.lease_until:
                    _log.error("attempt not recorded", delivery=claim.delivery_id, reason=str(exc))
                    return
                await asyncio.sleep(RECORD_AGAIN_SECONDS)

    def _parcel(self, claim: Claim) -> Parcel:
        now = self._now()
        own = claim.subscription
        links = (
            {}
            if self._public is None
            else {event.id: self._public.links(event, own.id, now=now) for event in claim.events}
        )
        notice = Notice(
            id=claim.delivery_id,
            form=claim.form,
            events=claim.events,
            at=now,
            language=own.language,
            subscription=own.name,
            links=links,
        )
        return Parcel(notice=notice, subscription=own, target=claim.target, is_first=claim.attempt == 1)

    def _tell(self, claim: Claim, outcome: Outcome, verdict: Verdict) -> None:
        self._attempted(claim.subscription.channel, verdict.action)
        known = {"delivery": claim.delivery_id, "subscription": claim.subscription.name, "attempt": claim.attempt}
        if verdict.action == "done":
            _log.info("delivered", **known, status=outcome.status)
        else:
            _log.warning("delivery failed", **known, verdict=verdict.action, because=verdict.because)
