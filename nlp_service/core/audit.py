"""The audit log as a chain: each entry's hash covers the one before it, so a change or a gap shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

GENESIS = "0" * 64


@dataclass(frozen=True, kw_only=True)
class AuditEntry:
    """Something that a person or key did, without personal data."""

    at: datetime
    actor: str  # Principal.id, or the flow that acted on its own
    action: str  # e.g. key.create, customer.delete, message.read_raw
    subject: str  # what it was done to
    detail: Mapping[str, str | int | bool | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ChainedEntry:
    sequence: int  # without gaps
    entry: AuditEntry
    hash: str  # hexadecimal


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What checking a chain found."""

    entries: int  # that hold
    head: str  # hash of the last of them; keep it elsewhere to notice a chain rewritten as a whole
    broken_at: int | None  # sequence of the first entry that does not hold
    reason: str | None


def canonical_detail(detail: Mapping[str, str | int | bool | None]) -> str:
    return json.dumps(dict(detail), sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def chain_hash(previous: str, sequence: int, entry: AuditEntry) -> str:
    """Return the hash of an entry that follows ``previous``."""
    at = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    fields = [previous, sequence, at, entry.actor, entry.action, entry.subject, canonical_detail(entry.detail)]
    return hashlib.sha256(json.dumps(fields, ensure_ascii=True).encode()).hexdigest()


def verify(entries: Iterable[ChainedEntry], *, after: int = 0, previous: str = GENESIS) -> Verdict:
    """Follow a chain that starts after ``after`` with the hash ``previous``."""
    count = 0
    for chained in entries:
        expected = after + count + 1
        reason = None
        if chained.sequence != expected:
            reason = f"entry {expected} is missing"
        elif chained.hash != chain_hash(previous, chained.sequence, chained.entry):
            reason = f"entry {expected} was changed"
        if reason is not None:
            return Verdict(entries=count, head=previous, broken_at=expected, reason=reason)
        previous, count = chained.hash, count + 1
    return Verdict(entries=count, head=previous, broken_at=None, reason=None)


def pseudonym(kind: str, identifier: str) -> str:
    """Name a person in the log so that it stays provable but unreadable: whoever knows the id finds the entries."""
    digest = hashlib.blake2b(identifier.encode("utf-8", "replace"), digest_size=12, person=kind.encode()[:16])
    return f"{kind} #{digest.hexdigest()}"
