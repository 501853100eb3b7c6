"""API keys: made here, shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, insert, or_, select, update

from nlp_service.adapters.db.audit import append
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.tables import api_keys
from nlp_service.core.access import ApiKey, Principal, Scope
from nlp_service.core.audit import AuditEntry
from nlp_service.errors import InputError, NotFound, Unauthenticated

PREFIX = "nls"
_REMEMBERED = 1000  # keys
_SECONDS = 5.0  # that a key is remembered: so long may a revocation in another process go unnoticed
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # nothing that reads alike


def _now() -> datetime:
    return datetime.now(UTC)


class Keys:
    """Every change is told in the audit log, in the same transaction."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = _now) -> None:
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[float, Row[Any]]] = {}

    def create(
        self,
        *,
        name: str,
        scopes: Collection[Scope],
        by: str,
        departments: Collection[str] | None = None,
        expires_at: datetime | None = None,
        per_minute: int | None = None,
    ) -> tuple[ApiKey, str]:
        """Return a new key and its token, which is shown this once; raises InputError where it can open nothing."""
        now = self._clock()
        if not scopes:
            raise InputError(f"key {name!r} has no scope: give at least one")
        if expires_at is not None and expires_at <= now:
            raise InputError(f"key {name!r} would expire at {expires_at.isoformat()}, in the past: choose a later time")
        key = ApiKey(
            id="".join(secrets.choice(_ALPHABET) for _ in range(12)),
            name=name,
            scopes=frozenset(scopes),
            departments=None if departments is None else frozenset(departments),
            created_at=now,
            created_by=by,
            expires_at=expires_at,
            revoked_at=None,
            per_minute=per_minute,
        )
        secret = secrets.token_urlsafe(32)
        self._database.transaction(lambda connection: _insert(connection, key, secret))
        return key, f"{PREFIX}_{key.id}_{secret}"

    def rotate(self, key_id: str, *, by: str, overlap: timedelta = timedelta(0)) -> tuple[ApiKey, str]:
        """Return a new key with the same rights; the old one opens for ``overlap`` longer."""
        old = self.get(key_id)
        key, token = self.create(
            name=old.name,
            scopes=old.scopes,
            departments=old.departments,
            expires_at=old.expires_at,
            per_minute=old.per_minute,
            by=by,
        )
        self.revoke(key_id, by=by, at=self._clock() + overlap)
        return key, token

    def revoke(self, key_id: str, *, by: str, at: datetime | None = None) -> None:
        """Close a key, now or at a time; one closed earlier stays so. Raises NotFound."""
        now = self._clock()
        moment = at or now

        def close(connection: Connection) -> None:
            still_open = or_(api_keys.c.revoked_at.is_(None), api_keys.c.revoked_at > moment)
            statement = update(api_keys).where(api_keys.c.id == key_id, still_open).values(revoked_at=moment)
            if connection.execute(statement).rowcount:
                detail = {"from": moment.isoformat(timespec="seconds")}
                append(
                    connection,
                    AuditEntry(at=now, actor=by, action="key.revoke", subject=f"key {key_id}", detail=detail),
                )

        self.get(key_id)
        self._database.transaction(close)
        with self._lock:
            self._seen.pop(key_id, None)

    def get(self, key_id: str) -> ApiKey:
        """Return a key by its public part; raises NotFound."""
        row = self._find(key_id)
        if row is None:
            raise NotFound(f"no API key {key_id!r} exists")
        return _key(row)

    def all(self) -> tuple[ApiKey, ...]:
        """Return every key, oldest first."""
        query = select(api_keys).order_by(api_keys.c.created_at, api_keys.c.id)
        rows = self._database.read(lambda connection: connection.execute(query).all())
        return tuple(_key(row) for row in rows)

    def any_open(self) -> bool:
        """Tell whether some key opens now; without one the service listens on loopback alone."""
        now = self._clock()
        return any(key.refusal(now) is None for key in self.all())

    def authenticate(self, token: str) -> Principal:
        """Return whom a token stands for; raises Unauthenticated without saying which part was wrong."""
        refused = Unauthenticated("the API key is unknown: check the Authorization header (Bearer nls_…)")
        prefix, _, rest = token.partition("_")
        key_id, _, secret = rest.partition("_")
        if prefix != PREFIX or not key_id or not secret or len(token) > 200:
            raise refused
        row = self._remembered(key_id)
        stored = bytes(row.secret_hash) if row is not None else bytes(32)
        if not hmac.compare_digest(stored, _hash(secret)) or row is None:
            raise refused
        key = _key(row)
        refusal = key.refusal(self._clock())
        if refusal is not None:
            raise Unauthenticated(f"API key {key.id} {refusal}: ask for a new one")
        return key.principal

    def _remembered(self, key_id: str) -> Row[Any] | None:
        now = time.monotonic()
        with self._lock:
            since, row = self._seen.get(key_id, (float("-inf"), None))
        if row is not None and now - since < _SECONDS:
            return row
        row = self._find(key_id)
        with self._lock:
            if row is None:
                self._seen.pop(key_id, None)
            else:
                if len(self._seen) >= _REMEMBERED:
                    self._seen.clear()
                self._seen[key_id] = (now, row)
        return row

    def _find(self, key_id: str) -> Row[Any] | None:
        query = select(api_keys).where(api_keys.c.id == key_id)
        return self._database.read(lambda connection: connection.execute(query).one_or_none())


def _insert(connection: Connection, key: ApiKey, secret: str) -> None:
    departments = None if key.departments is None else sorted(key.departments)
    connection.execute(
        insert(api_keys).values(
            id=key.id,
            name=key.name,
            secret_hash=_hash(secret),
            scopes=sorted(key.scopes),
            departments=departments,
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            per_minute=key.per_minute,
        )
    )
    detail: dict[str, str | int | bool | None] = {
        "name": key.name,
        "scopes": ",".join(sorted(key.scopes)),
        "departments": ",".join(departments or ["all"]),
    }
    if key.per_minute is not None:
        detail["per_minute"] = key.per_minute
    entry = AuditEntry(
        at=key.created_at, actor=key.created_by, action="key.create", subject=f"key {key.id}", detail=detail
    )
    append(connection, entry)


def _hash(secret: str) -> bytes:
    # 256 random bits need no slow hash: there is nothing to guess.
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()


def _key(row: Row[Any]) -> ApiKey:
    return ApiKey(
        id=row.id,
        name=row.name,
        scopes=frozenset(Scope(name) for name in row.scopes),
        departments=None if row.departments is None else frozenset(row.departments),
        created_at=row.created_at,
        created_by=row.created_by,
        expires_at=row.expires_at,
        revoked_at=row.revoked_at,
        per_minute=row.per_minute,
    )
