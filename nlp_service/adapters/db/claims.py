"""What workers do with open deliveries: take one under a lease, and record what came of the attempt.

A claimed delivery is due again when its lease ends, so that a worker that dies holds nothing up for longer. Any
number of workers may run: one takes the subscription's row, the others pass over it (SKIP LOCKED on PostgreSQL; on
SQLite there is one writer).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, func, insert, literal, or_, select, update

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import add_sample
from nlp_service.adapters.db.gather import gather
from nlp_service.adapters.db.subscriptions import open_target, subscription_of
from nlp_service.adapters.db.tables import attempts, deliveries, delivery_events, outbox, subscriptions
from nlp_service.core.delivery import breaker as breakers
from nlp_service.core.delivery.breaker import Breaker
from nlp_service.core.delivery.events import ThemeEvent, decode
from nlp_service.core.delivery.outcome import Outcome
from nlp_service.core.delivery.pace import LIMITS, admit
from nlp_service.core.delivery.records import Claim
from nlp_service.core.delivery.subscriptions import after_quiet, decode_rhythm
from nlp_service.core.delivery.verdict import Verdict
from nlp_service.errors import NotFound
from nlp_service.ports import Sealer

PER_ENDPOINT = 8  # attempts under way to one endpoint; a hanging one must not take every place


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How endpoints that fail are treated."""

    attempts: int  # of a delivery, before it is dead
    first_rest: timedelta


class Claims:
    """ports.DeliveryQueue on a database."""

    def __init__(self, database: Database, *, sealer: Sealer, patience: Patience) -> None:
        self._database = database
        self._sealer = sealer
        self._patience = patience

    def claim(self, *, token: str, now: datetime, lease: timedelta, limit: int) -> tuple[Claim, ...]:
        """Take up to ``limit`` deliveries that are due, each the first open one of its theme and endpoint."""

        def take(connection: Connection) -> list[tuple[Row[Any], Sequence[Row[Any]], dict[int, list[ThemeEvent]]]]:
            taken = []
            room = limit
            for subscription in _ready(connection, now):
                rows = _take(connection, subscription, token=token, now=now, lease_until=now + lease, room=room)
                room -= len(rows)
                if rows:
                    taken.append((subscription, rows, _events(connection, [row.id for row in rows])))
                if room <= 0:
                    break
            return taken

        return tuple(
            self._claim(subscription, row, events[row.id], token, now + lease)
            for subscription, rows, events in self._database.transaction(take)
            for row in rows
        )

    def claim_sample(
        self, subscription_id: str, event: ThemeEvent, *, token: str, now: datetime, lease: timedelta
    ) -> Claim:
        """Take a sample for a subscription in any state, past rate limit and quiet hours; raises NotFound."""

        def take(connection: Connection) -> tuple[Row[Any], Row[Any]]:
            query = select(subscriptions).where(subscriptions.c.id == subscription_id)
            subscription = connection.execute(query).one_or_none()
            if subscription is None:
                raise NotFound(f"no subscription {subscription_id!r}: see `nlp-service subscriptions list`")
            return subscription, add_sample(connection, subscription_id, event, token=token, now=now, until=now + lease)

        subscription, row = self._database.transaction(take)
        return self._claim(subscription, row, [event], token, now + lease)

    def has_due(self, *, now: datetime) -> bool:
        """Tell whether claiming would be worth a write."""
        query = select(literal(1)).where(_is_ready(now)).limit(1)
        return self._database.read(lambda connection: connection.execute(query).first()) is not None

    def record(self, claim: Claim, outcome: Outcome, verdict: Verdict, *, now: datetime) -> bool:
        """Store how an attempt ended and what follows; returns False where the lease had gone to another worker."""

        def write(connection: Connection) -> bool:
            _end_attempt(connection, claim, outcome, verdict, now)
            own = (deliveries.c.id == claim.key) & (deliveries.c.claim == claim.token)
            still = connection.execute(select(deliveries.c.id).where(own)).first() is not None
            state_reason = self._endpoint(connection, claim, outcome, verdict, now)
            if not still:
                return False
            values = _after(claim, verdict, now)
            if state_reason and values["state"] == "open":
                values["reason"] = state_reason
            connection.execute(update(deliveries).where(own).values(**values, claim=None))
            return True

        return self._database.transaction(write)

    def give_back(self, claim: Claim, *, now: datetime) -> None:
        """Undo a claim that was not used: the attempt was not made."""
        own = (deliveries.c.id == claim.key) & (deliveries.c.claim == claim.token)
        values = {"claim": None, "due_at": now, "attempts": deliveries.c.attempts - 1}
        attempt = (attempts.c.delivery_id == claim.key) & (attempts.c.number == claim.attempt)

        def write(connection: Connection) -> None:
            if connection.execute(update(deliveries).where(own).values(**values)).rowcount:
                connection.execute(attempts.delete().where(attempt))

        self._database.transaction(write)

    def _claim(
        self, subscription: Row[Any], row: Row[Any], events: Sequence[ThemeEvent], token: str, until: datetime
    ) -> Claim:
        return Claim(
            key=row.id,
            token=token,
            delivery_id=row.message_id,
            form=row.form,
            subscription=subscription_of(subscription),
            target=open_target(self._sealer, subscription.id, subscription.target),
            events=tuple(events),
            attempt=row.attempts,
            failures=row.failures,
            lease_until=until,
        )

    def _endpoint(
        self, connection: Connection, claim: Claim, outcome: Outcome, verdict: Verdict, now: datetime
    ) -> str | None:
        """Update the endpoint's breaker; a clean one stays untouched, so that successes wait for no lock."""
        own = subscriptions.c.id == claim.subscription.id
        row = connection.execute(select(subscriptions).where(own)).one_or_none()
        if row is None or claim.form == "sample":
            return None
        healthy = outcome.kind == "delivered" and row.failures == 0 and row.open_until is None
        if healthy:
            return None
        row = connection.execute(select(subscriptions).where(own).with_for_update(key_share=True)).one()
        known = Breaker(failures=row.failures, failing_since=row.failing_since, open_until=row.open_until)
        state = breakers.record(known, outcome, now=now, first_rest=self._patience.first_rest)
        values: dict[str, Any] = {
            "failures": state.failures,
            "failing_since": state.failing_since,
            "open_until": state.open_until,
        }
        if state.open_until is not None:
            values["ready_at"] = max(row.ready_at, state.open_until)
        why = verdict.because if verdict.action == "disable" else None
        if verdict.action == "dead":
            why = breakers.switch_off(state, attempts=self._patience.attempts)
        if why is not None:
            values |= {"state": "disabled", "state_reason": f"switched off: {why}"}
        connection.execute(update(subscriptions).where(own).values(**values))
        return values.get("state_reason")


def _is_ready(now: datetime) -> Any:
    """The subscriptions from which something may be taken."""
    waiting = select(deliveries.c.id).where(
        deliveries.c.subscription_id == subscriptions.c.id, deliveries.c.state == "open", deliveries.c.due_at <= now
    )
    return (subscriptions.c.state == "active") & (subscriptions.c.ready_at <= now) & waiting.exists()


def _ready(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    query = select(subscriptions).where(_is_ready(now)).order_by(subscriptions.c.ready_at, subscriptions.c.id)
    return connection.execute(query.with_for_update(skip_locked=True, key_share=True)).all()


def _take(
    connection: Connection, subscription: Row[Any], *, token: str, now: datetime, lease_until: datetime, room: int
) -> Sequence[Row[Any]]:
    is_probing = Breaker(failures=subscription.failures).is_probing
    allowed = (1 if is_probing else PER_ENDPOINT) - _under_way(connection, subscription.id, now)
    if allowed <= 0 or room <= 0:
        return []
    if not is_probing:
        gather(connection, subscription, now=now)
    heads = _heads(connection, subscription, now=now, limit=min(allowed, room))
    admission = admit(
        LIMITS.get(subscription.channel), wanted=len(heads), paced_until=subscription.paced_until, now=now
    )
    chosen = heads[: admission.count]
    if admission.paced_until != subscription.paced_until or admission.ready_at > now:
        values = {"paced_until": admission.paced_until, "ready_at": max(admission.ready_at, subscription.ready_at)}
        connection.execute(update(subscriptions).where(subscriptions.c.id == subscription.id).values(**values))
    if not chosen:
        return []
    _close_interrupted(connection, chosen, now)
    marked = (
        update(deliveries)
        .where(deliveries.c.id.in_(chosen))
        .values(claim=token, due_at=lease_until, attempts=deliveries.c.attempts + 1)
        .returning(*deliveries.c)
    )
    rows = sorted(connection.execute(marked).all(), key=lambda row: row.id)
    started = [{"delivery_id": row.id, "number": row.attempts, "started_at": now} for row in rows]
    connection.execute(insert(attempts), started)
    return rows


def _under_way(connection: Connection, subscription_id: str, now: datetime) -> int:
    query = (
        select(func.count())
        .select_from(deliveries)
        .where(deliveries.c.subscription_id == subscription_id, deliveries.c.state == "open")
        .where(deliveries.c.due_at > now, deliveries.c.claim.is_not(None))
    )
    return int(connection.execute(query).scalar_one())


def _heads(connection: Connection, subscription: Row[Any], *, now: datetime, limit: int) -> list[int]:
    """Keys of due deliveries before which nothing of the same theme is open or under way; quiet hours move theirs."""
    earlier = deliveries.alias("earlier")
    is_open = (earlier.c.subscription_id == subscription.id) & (earlier.c.state == "open")
    before = earlier.c.id < deliveries.c.id
    of_theme = select(earlier.c.id).where(is_open, earlier.c.theme_id == deliveries.c.theme_id, before)
    digest = select(earlier.c.id).where(is_open, earlier.c.form == "digest", earlier.c.theme_id.is_(None), before)
    # A dead letter sent again stands before what is under way of its theme, and must not run beside it.
    leased = is_open & earlier.c.claim.is_not(None) & (earlier.c.due_at > now) & (earlier.c.id > deliveries.c.id)
    under_way = select(earlier.c.id).where(
        leased, or_(earlier.c.theme_id == deliveries.c.theme_id, earlier.c.theme_id.is_(None))
    )
    query = (
        select(deliveries.c.id, deliveries.c.attempts)
        .where(deliveries.c.subscription_id == subscription.id, deliveries.c.state == "open")
        .where(deliveries.c.due_at <= now, ~of_theme.exists(), ~digest.exists(), ~under_way.exists())
        .order_by(deliveries.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True, of=deliveries)
    )
    rows = connection.execute(query).all()
    awake = after_quiet(decode_rhythm(subscription.rhythm), at=now)
    retried = [row.id for row in rows if row.attempts]
    if awake > now and retried:  # a retry must not ring at night; first attempts were dated by their severity
        statement = update(deliveries).where(deliveries.c.id.in_(retried)).values(due_at=awake)
        connection.execute(statement)
        return [row.id for row in rows if not row.attempts]
    return [row.id for row in rows]


def _close_interrupted(connection: Connection, keys: Sequence[int], now: datetime) -> None:
    """Say of attempts that have no end what became of them: their worker died, or lost its lease."""
    values = {
        "ended_at": now,
        "outcome": "interrupted",
        "verdict": "retry",
        "because": "the worker stopped before it recorded an answer",
    }
    unfinished = attempts.c.delivery_id.in_(keys) & attempts.c.ended_at.is_(None)
    connection.execute(update(attempts).where(unfinished).values(**values))


def _events(connection: Connection, keys: Sequence[int]) -> dict[int, list[ThemeEvent]]:
    query = (
        select(delivery_events.c.delivery_id, outbox.c.document)
        .join(outbox, outbox.c.id == delivery_events.c.outbox_id)
        .where(delivery_events.c.delivery_id.in_(keys))
        .order_by(outbox.c.id)
    )
    found: dict[int, list[ThemeEvent]] = {key: [] for key in keys}
    for row in connection.execute(query):
        found[row.delivery_id].append(decode(row.document))
    return found


def _end_attempt(connection: Connection, claim: Claim, outcome: Outcome, verdict: Verdict, now: datetime) -> None:
    own = (attempts.c.delivery_id == claim.key) & (attempts.c.number == claim.attempt)
    unfinished = or_(attempts.c.ended_at.is_(None), attempts.c.outcome == "interrupted")
    values = {
        "ended_at": now,
        "outcome": outcome.kind,
        "status": outcome.status,
        "code": outcome.code,
        "detail": outcome.detail,
        "verdict": verdict.action,
        "because": verdict.because,
    }
    connection.execute(update(attempts).where(own, unfinished).values(**values))


def _after(claim: Claim, verdict: Verdict, now: datetime) -> dict[str, Any]:
    failed = {"failures": claim.failures + 1, "reason": verdict.because}
    if verdict.action == "done":
        return {"state": "done", "reason": verdict.because, "ended_at": now}
    if verdict.action == "dead" or claim.form == "sample":
        return {"state": "dead", "ended_at": now, **failed}
    return {"state": "open", "due_at": verdict.at or now, **failed}
