"""An emptied database and everything that stores deliveries, for each test, on both databases."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from nlp_service.adapters.db.claims import Claims, Patience
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.delivery_log import DeliveryRecords
from nlp_service.adapters.db.subscriptions import Subscriptions
from nlp_service.adapters.db.tables import outbox, subscriptions
from nlp_service.adapters.db.tickets import Tickets
from nlp_service.adapters.sealing import AesSealer
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.outcome import Outcome
from nlp_service.core.delivery.records import Claim
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.subscriptions import Subscription, Target
from nlp_service.core.delivery.verdict import decide
from nlp_service.testing import FixedClock

LEASE = timedelta(seconds=30)
KEY = base64.b64encode(b"k" * 32).decode()


@dataclass
class Stores:
    """What the tests speak to; ``clock`` moves when told."""

    database: Database
    clock: FixedClock
    claims: Claims
    subscriptions: Subscriptions
    log: DeliveryRecords
    tickets: Tickets

    def subscribe(self, name: str = "team", channel: str = "webhook", **fields: Any) -> Subscription:
        subscription = Subscription(id=f"sub_{name}", name=name, channel=channel, address="https://x/…", **fields)
        self.subscriptions.add(subscription, Target(url="https://hooks.example/secret"), by="test")
        return subscription

    def happen(self, number: int, theme: str = "thm_1", **fields: Any) -> ThemeEvent:
        event = replace(sample_event(f"evt_{number}", at=self.clock.now), theme_id=theme, **fields)
        self.database.transaction(lambda connection: enqueue(connection, event, at=self.clock.now))
        return event

    def claim(self, limit: int = 100, token: str = "w1") -> list[Claim]:
        return list(self.claims.claim(token=token, now=self.clock.now, lease=LEASE, limit=limit))

    def answer(self, claim: Claim, kind: str = "delivered", **fields: Any) -> bool:
        outcome = Outcome(kind=kind, **fields)
        verdict = decide(outcome, failures=claim.failures, now=self.clock.now, random=0.5)
        return self.claims.record(claim, outcome, verdict, now=self.clock.now)

    def advance(self, **span: float) -> None:
        self.clock.advance(timedelta(**span))


@pytest.fixture
def stores(database: Database) -> Stores:
    def empty(connection: Any) -> None:
        connection.execute(subscriptions.delete())
        connection.execute(outbox.delete())

    database.transaction(empty)
    sealer, clock = AesSealer.load(KEY), FixedClock()
    return Stores(
        database=database,
        clock=clock,
        claims=Claims(database, sealer=sealer, patience=Patience(attempts=10, first_rest=timedelta(seconds=30))),
        subscriptions=Subscriptions(database, sealer=sealer, clock=clock),
        log=DeliveryRecords(database),
        tickets=Tickets(database),
    )
