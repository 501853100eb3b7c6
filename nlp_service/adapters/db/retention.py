"""Removing what has been kept long enough, in small transactions so that nobody waits for it.

Another area adds its data to ``EXPIRIES``: a function that removes at most ``limit`` rows older than a moment and
returns how many it removed. Rows that refer to a message with ON DELETE CASCADE go with the message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType

from sqlalchemy import Connection, select, update

from nlp_service.adapters.db.audit import AuditLog, append
from nlp_service.adapters.db.counting import remove
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import expire_deliveries
from nlp_service.adapters.db.tables import messages
from nlp_service.core.audit import AuditEntry
from nlp_service.core.retention import RetentionRules
from nlp_service.errors import ConfigurationError

Expiry = Callable[[Connection, datetime, int], int]
BATCH = 1000  # rows in one transaction


def expire_messages(connection: Connection, before: datetime, limit: int) -> int:
    """Remove messages received before a moment, with everything that refers to them."""
    old = select(messages.c.id).where(messages.c.received_at < before).order_by(messages.c.received_at).limit(limit)
    return remove(connection, list(connection.execute(old).scalars()))


def expire_raw_text(connection: Connection, before: datetime, limit: int) -> int:
    """Forget the sealed text of messages received before a moment; the masked text stays."""
    is_old = (messages.c.received_at < before) & messages.c.raw_text.is_not(None)
    old = select(messages.c.id).where(is_old).limit(limit)
    statement = update(messages).where(messages.c.id.in_(old.scalar_subquery())).values(raw_text=None)
    return connection.execute(statement).rowcount


EXPIRIES: Mapping[str, Expiry] = MappingProxyType(
    {"raw_text": expire_raw_text, "messages": expire_messages, "deliveries": expire_deliveries}
)


def _now() -> datetime:
    return datetime.now(UTC)


class Retention:
    """Carries out the rules and tells the audit log what went."""

    def __init__(
        self, database: Database, *, expiries: Mapping[str, Expiry] = EXPIRIES, clock: Callable[[], datetime] = _now
    ) -> None:
        self._database = database
        self._expiries = expiries
        self._clock = clock

    def run(self, rules: RetentionRules) -> Mapping[str, int]:
        """Return how many rows of each kind were removed; raises ConfigurationError for a kind that does not exist."""
        now = self._clock()
        limits = rules.limits(now)
        known = {*self._expiries, "audit_log"}
        if unknown := sorted(set(rules.days) - known):
            raise ConfigurationError(f"retention names {', '.join(unknown)}: choose from {', '.join(sorted(known))}")
        removed = {
            kind: self._in_batches(partial(expire, before=limits[kind]))
            for kind, expire in self._adapted().items()
            if kind in limits
        }
        for kind, rows in removed.items():
            self._tell(now, kind, rows, limits[kind])
        if "audit_log" in limits:
            removed["audit_log"] = AuditLog(self._database).forget_before(limits["audit_log"]).result()
            self._tell(now, "audit_log", removed["audit_log"], limits["audit_log"])
        return removed

    def _adapted(self) -> Mapping[str, Callable[..., int]]:
        return {kind: partial(_limited, expiry) for kind, expiry in self._expiries.items()}

    def _in_batches(self, expire: Callable[[Connection], int]) -> int:
        total = 0
        while rows := self._database.transaction(expire):
            total += rows
        return total

    def _tell(self, now: datetime, kind: str, rows: int, before: datetime) -> None:
        if rows == 0:
            return
        detail: dict[str, str | int | bool | None] = {"rows": rows, "before": before.isoformat(timespec="seconds")}
        entry = AuditEntry(at=now, actor="retention", action="retention.expire", subject=kind, detail=detail)
        self._database.transaction(lambda connection: append(connection, entry))


def _limited(expiry: Expiry, connection: Connection, before: datetime) -> int:
    return expiry(connection, before, BATCH)
