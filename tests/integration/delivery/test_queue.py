"""The outbox and the claims on SQLite and PostgreSQL."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import time, timedelta

import pytest
from sqlalchemy import select

from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.claims import PER_ENDPOINT
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import count_unheard, enqueue
from nlp_service.adapters.db.tables import outbox, subscriptions
from nlp_service.core.delivery.records import Claim, Ticket
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.subscriptions import Filter, Rhythm, Target
from nlp_service.errors import Conflict, NotFound
from tests.integration.delivery.conftest import LEASE, Stores


def test_event_goes_to_every_subscription_that_it_is_for_and_once(stores: Stores) -> None:
    stores.subscribe("product")
    stores.subscribe("all")
    stores.subscribe("logistics", filter=Filter(departments=("logistics",)))
    stores.happen(1)
    stores.happen(1)
    claims = stores.claim()
    assert {claim.subscription.name for claim in claims} == {"product", "all"}
    assert len({claim.delivery_id for claim in claims}) == 2
    assert claims[0].target.url == "https://hooks.example/secret"
    assert claims[0].events[0].id == "evt_1"


def test_event_that_nobody_hears_is_counted(stores: Stores) -> None:
    stores.happen(1)
    count = stores.database.read(lambda c: count_unheard(c, since=stores.clock.now - timedelta(days=1)))
    assert count == 1


def test_event_and_outbox_row_are_one_transaction(stores: Stores) -> None:
    stores.subscribe()

    def fail(connection: object) -> None:
        enqueue(connection, sample_event("evt_1", at=stores.clock.now), at=stores.clock.now)  # type: ignore[arg-type]
        raise RuntimeError("the theme could not be changed")

    with pytest.raises(RuntimeError):
        stores.database.transaction(fail)
    assert stores.claim() == []
    assert stores.database.read(lambda c: c.execute(select(outbox)).all()) == []


def test_claimed_delivery_is_nobody_elses_until_the_lease_ends(stores: Stores) -> None:
    stores.subscribe()
    stores.happen(1)
    (first,) = stores.claim()
    assert stores.claim(token="w2") == []
    stores.advance(seconds=31)
    (second,) = stores.claim(token="w2")
    assert second.delivery_id == first.delivery_id
    assert second.attempt == 2
    assert second.failures == 0
    assert stores.answer(first) is False  # too late: the lease had gone
    assert stores.answer(second) is True
    attempts = stores.log.get(first.delivery_id).attempts
    assert [attempt.outcome for attempt in attempts] == ["delivered", "delivered"]


def test_interrupted_attempt_is_shown_as_such(stores: Stores) -> None:
    stores.subscribe()
    stores.happen(1)
    (first,) = stores.claim()
    stores.advance(seconds=31)
    stores.answer(stores.claim()[0])
    attempts = stores.log.get(first.delivery_id).attempts
    assert [attempt.outcome for attempt in attempts] == ["interrupted", "delivered"]


def test_order_of_a_theme_is_kept_while_other_themes_pass(stores: Stores) -> None:
    stores.subscribe()
    for number, theme in ((1, "a"), (2, "a"), (3, "b"), (4, "a")):
        stores.happen(number, theme)
    first = stores.claim()
    assert [claim.events[0].id for claim in first] == ["evt_1", "evt_3"]
    stores.answer(first[0], "refused", status=500)
    stores.answer(first[1])
    assert stores.claim() == []
    stores.advance(seconds=6)
    order = []
    while claims := stores.claim():
        assert len(claims) == 1
        order.append(claims[0].events[0].id)
        stores.answer(claims[0])
    assert order == ["evt_1", "evt_2", "evt_4"]


def test_retries_follow_the_schedule_under_one_id_until_dead_and_sent_again(stores: Stores) -> None:
    subscription = stores.subscribe()
    stores.happen(1)
    ids, tries = set(), 0
    while stores.log.page(state="open").deliveries:
        if claims := stores.claim():
            tries += 1
            ids.add(claims[0].delivery_id)
            stores.answer(claims[0], "refused", status=500, detail="boom")
        stores.advance(hours=1)
    (dead,) = stores.log.page(state="dead").deliveries
    assert tries == 10
    assert ids == {dead.id}
    assert "attempt 10 of 10" in dead.reason
    switched_off = stores.subscriptions.get(subscription.id)
    assert switched_off.state == "disabled"
    assert "10 attempts in a row" in switched_off.state_reason
    stores.log.resend(dead.id, by="test", at=stores.clock.now)
    assert stores.claim() == []
    stores.subscriptions.replace(replace(switched_off, state="active", state_reason=""), by="test")
    (again,) = stores.claim()
    stores.answer(again)
    assert again.delivery_id == dead.id
    with pytest.raises(Conflict, match="done"):
        stores.log.resend(dead.id, by="test", at=stores.clock.now)


def test_dead_letters_sent_again_keep_the_order_of_their_theme_and_are_told_in_the_audit_log(stores: Stores) -> None:
    subscription = stores.subscribe()
    for number in (1, 2):
        stores.happen(number)
        stores.happen(10 + number, "thm_2")
    while stores.log.page(state="open").deliveries:
        for claim in stores.claim():
            stores.answer(claim, "delivered" if claim.events[0].theme_id == "thm_2" else "refused", status=500)
        stores.subscriptions.replace(replace(subscription, state="active", state_reason=""), by="test")
        stores.advance(hours=30)
    assert {entry.theme_id for entry in stores.log.page(state="dead").deliveries} == {"thm_1"}
    stores.happen(3)
    (newer,) = stores.claim()
    assert stores.log.resend_dead(subscription_id=None, by="key k", at=stores.clock.now) == 2
    assert stores.claim() == []  # never beside another of its theme
    stores.answer(newer)
    order = []
    while claims := stores.claim():
        assert len(claims) == 1
        order.append(claims[0].events[0].id)
        stores.answer(claims[0])
    assert order == ["evt_1", "evt_2"]
    newest = AuditLog(stores.database).entries(limit=1)[0].entry
    assert (newest.actor, newest.action, newest.detail) == ("key k", "delivery.resend", {"deliveries": 2})


def test_backlog_tells_what_waits_what_is_late_and_what_is_dead(stores: Stores) -> None:
    stores.subscribe("one")
    stores.subscribe("digest", rhythm=Rhythm(when="daily", timezone="UTC", at=time(18, 7)))
    paused = stores.subscribe("mail", channel="email")
    stores.subscriptions.replace(replace(paused, state="paused"), by="test")
    began = stores.clock.now
    stores.happen(1)
    stores.advance(minutes=1)
    found = {entry.channel: entry for entry in stores.log.backlog(now=stores.clock.now)}
    assert (found["webhook"].open, found["webhook"].dead, found["webhook"].oldest) == (2, 0, began)
    assert (found["email"].open, found["email"].oldest) == (1, None)
    stores.answer(stores.claim()[0])
    (left,) = [entry for entry in stores.log.backlog(now=stores.clock.now) if entry.channel == "webhook"]
    assert (left.open, left.oldest) == (1, None)  # the digest gathers until its hour


def test_gone_switches_off_and_keeps_what_waits(stores: Stores) -> None:
    subscription = stores.subscribe()
    stores.happen(1)
    stores.answer(stores.claim()[0], "gone", status=410)
    stores.happen(2)
    assert stores.subscriptions.get(subscription.id).state == "disabled"
    assert "410" in stores.subscriptions.get(subscription.id).state_reason
    assert stores.claim() == []
    assert len(stores.log.page(state="open").deliveries) == 2


def test_failing_endpoint_rests_and_is_then_tried_once(stores: Stores) -> None:
    stores.subscribe()
    for number in range(20):
        stores.happen(number, f"thm_{number}")
    claims = stores.claim()
    assert len(claims) == PER_ENDPOINT
    for claim in claims:
        stores.answer(claim, "unreachable")
    assert stores.claim() == []
    stores.advance(seconds=300)
    (probe,) = stores.claim()
    assert stores.claim() == []
    stores.answer(probe)
    assert len(stores.claim()) == PER_ENDPOINT


def test_slow_endpoint_does_not_take_every_place(stores: Stores) -> None:
    stores.subscribe("slow")
    stores.subscribe("quick")
    for number in range(30):
        stores.happen(number, f"thm_{number}")
    claims = stores.claim()
    assert sorted({claim.subscription.name for claim in claims}) == ["quick", "slow"]
    assert len(claims) == 2 * PER_ENDPOINT


def test_quiet_hours_hold_back_but_critical_wakes_its_theme(stores: Stores) -> None:
    rhythm = Rhythm(timezone="UTC", quiet_from=time(8), quiet_until=time(10))
    stores.subscribe(rhythm=rhythm)  # it is nine
    stores.happen(1)
    stores.happen(2, "thm_2")
    assert stores.claim() == []
    stores.happen(3, severity="critical")
    assert [claim.events[0].id for claim in stores.claim()] == ["evt_1"]
    stores.advance(hours=1)
    assert {claim.events[0].id for claim in stores.claim()} == {"evt_1", "evt_2"}


def test_retry_does_not_ring_in_quiet_hours(stores: Stores) -> None:
    stores.subscribe(rhythm=Rhythm(timezone="UTC", quiet_from=time(9, 1), quiet_until=time(10)))
    stores.happen(1)
    stores.answer(stores.claim()[0], "refused", status=500)
    stores.advance(minutes=30)
    assert stores.claim() == []
    stores.advance(minutes=30)
    assert len(stores.claim()) == 1


def test_digest_gathers_until_its_hour_and_then_a_new_one_begins(stores: Stores) -> None:
    stores.subscribe(rhythm=Rhythm(when="daily", timezone="UTC", at=time(18, 7)))
    stores.happen(1)
    stores.happen(2, "thm_2")
    assert stores.claim() == []
    stores.advance(hours=9, minutes=8)
    (digest,) = stores.claim()
    stores.happen(3)
    assert digest.form == "digest"
    assert [event.id for event in digest.events] == ["evt_1", "evt_2"]
    stores.answer(digest)
    assert stores.claim() == []
    stores.advance(days=1)
    (following,) = stores.claim()
    assert [event.id for event in following.events] == ["evt_3"]
    assert following.delivery_id != digest.delivery_id


def test_flood_on_a_limited_chat_becomes_one_digest_in_order(stores: Stores) -> None:
    stores.subscribe("group", channel="wecom")
    for number in range(12):
        stores.happen(number, f"thm_{number % 3}")
    (digest,) = stores.claim()
    assert [event.id for event in digest.events] == [f"evt_{number}" for number in range(12)]
    stores.happen(12, "thm_0")
    assert stores.claim() == []  # behind the digest that holds its theme
    stores.answer(digest)
    stores.advance(seconds=10)
    (single,) = stores.claim()
    assert single.events[0].id == "evt_12"
    assert {delivery.state for delivery in stores.log.page().deliveries} == {"merged", "done", "open"}


def test_gathering_leaves_what_stands_behind_a_failed_attempt(stores: Stores) -> None:
    stores.subscribe("group", channel="wecom")
    stores.happen(0, "thm_0")
    stores.answer(stores.claim()[0], "refused", status=500)
    for number in range(1, 10):
        stores.happen(number, f"thm_{number % 2}")
    (digest,) = stores.claim()
    assert {event.theme_id for event in digest.events} == {"thm_1"}


def test_rate_limit_is_kept_over_a_minute(stores: Stores) -> None:
    stores.subscribe("tracker", channel="slack")
    for number in range(3):
        stores.happen(number, f"thm_{number}")
    sent = []
    for _ in range(40):
        for claim in stores.claim():
            sent.append(stores.clock.now)
            stores.answer(claim)
        stores.advance(seconds=0.25)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(sent)]
    assert len(sent) == 3
    assert min(gaps) >= 1


def test_paused_collects_and_resumes(stores: Stores) -> None:
    subscription = stores.subscribe()
    stores.subscriptions.replace(replace(subscription, state="paused"), by="test")
    stores.happen(1)
    assert stores.claim() == []
    assert stores.claims.has_due(now=stores.clock.now) is False
    stores.subscriptions.replace(subscription, by="test")
    assert stores.claims.has_due(now=stores.clock.now) is True
    assert len(stores.claim()) == 1


def test_sample_goes_out_in_any_state_and_never_twice(stores: Stores) -> None:
    subscription = stores.subscribe()
    stores.subscriptions.replace(replace(subscription, state="paused"), by="test")
    event = sample_event("evt_sample", at=stores.clock.now)
    claim = stores.claims.claim_sample(subscription.id, event, token="me", now=stores.clock.now, lease=LEASE)
    stores.answer(claim, "refused", status=500)
    assert stores.log.get(claim.delivery_id).state == "dead"
    assert stores.log.resend_dead(subscription_id=None, by="test", at=stores.clock.now) == 0
    with pytest.raises(NotFound):
        stores.claims.claim_sample("nobody", event, token="me", now=stores.clock.now, lease=LEASE)


def test_given_back_claim_was_never_made(stores: Stores) -> None:
    stores.subscribe()
    stores.happen(1)
    (claim,) = stores.claim()
    stores.claims.give_back(claim, now=stores.clock.now)
    (again,) = stores.claim()
    assert again.attempt == 1


def test_subscriptions_are_found_by_name_changed_and_removed(stores: Stores) -> None:
    subscription = stores.subscribe()
    with pytest.raises(Conflict, match="team"):
        stores.subscribe()
    assert stores.subscriptions.get("team").id == subscription.id
    stores.happen(1)
    stores.subscriptions.remove("team", by="test")
    assert stores.subscriptions.all() == ()
    assert stores.log.page().deliveries == ()
    with pytest.raises(NotFound, match="team"):
        stores.subscriptions.get("team")


def test_target_is_sealed_at_rest_and_does_not_open_elsewhere(stores: Stores) -> None:
    stores.subscribe("one")
    stores.subscribe("two")
    query = select(subscriptions.c.target).order_by(subscriptions.c.name)
    sealed = stores.database.read(lambda connection: connection.execute(query).scalars().all())
    assert all(b"hooks.example" not in bytes(value) for value in sealed)
    move = subscriptions.update().where(subscriptions.c.name == "two").values(target=sealed[0])
    stores.database.transaction(lambda connection: connection.execute(move).rowcount)
    with pytest.raises(Exception, match="damaged or belongs elsewhere"):
        stores.subscriptions.target("two")
    assert stores.subscriptions.target("one") == Target(url="https://hooks.example/secret")


def test_pages_of_deliveries(stores: Stores) -> None:
    stores.subscribe()
    for number in range(5):
        stores.happen(number, f"thm_{number}")
    first = stores.log.page(limit=3)
    rest = stores.log.page(limit=3, before=first.before)
    assert len({entry.id for entry in first.deliveries + rest.deliveries}) == 5
    assert rest.before is None


def test_tickets(stores: Stores) -> None:
    subscription = stores.subscribe(channel="jira")
    assert stores.tickets.find(subscription.id, "thm_1") is None
    ticket = Ticket(subscription_id=subscription.id, theme_id="thm_1", issue="P-1", state="open")
    stores.tickets.keep(ticket, at=stores.clock.now)
    assert stores.tickets.open_tickets() == (ticket,)
    stores.tickets.keep(Ticket(**{**vars(ticket), "state": "closed"}), at=stores.clock.now)
    assert stores.tickets.open_tickets() == ()


def test_workers_at_once_never_hold_the_same_attempt(stores: Stores, database_url: str) -> None:
    stores.subscribe("one")
    stores.subscribe("two")
    for number in range(60):
        stores.happen(number, f"thm_{number % 20}")
    held: set[str] = set()
    orders: dict[tuple[str, str], list[int]] = {}
    guard = threading.Lock()

    def work(name: str) -> None:
        with Database.open(database_url) as database:
            own = Stores(**{**vars(stores), "database": database})
            own.claims = type(stores.claims)(database, sealer=stores.claims._sealer, patience=stores.claims._patience)
            idle = 0
            while idle < 20:
                claims: list[Claim] = own.claim(limit=5, token=name)
                idle = 0 if claims else idle + 1
                for claim in claims:
                    with guard:
                        assert claim.delivery_id not in held
                        held.add(claim.delivery_id)
                        key = (claim.subscription.id, claim.events[0].theme_id)
                        orders.setdefault(key, []).append(int(claim.events[0].id.removeprefix("evt_")))
                    own.answer(claim)

    with ThreadPoolExecutor(3) as pool:
        for future in [pool.submit(work, f"w{number}") for number in range(3)]:
            future.result()
    assert len(held) == 120
    assert all(order == sorted(order) for order in orders.values())
