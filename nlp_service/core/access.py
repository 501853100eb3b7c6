"""Who may do what: scopes, departments, and the decision with its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from nlp_service.errors import Forbidden, InputError


class Scope(StrEnum):
    CLASSIFY = "classify"  # label messages
    CORRECT = "correct"  # review queue and corrections
    READ = "read"  # messages, customers and reports, masked
    THEMES_READ = "themes:read"
    THEMES_WRITE = "themes:write"  # merge, split, rename, acknowledge, fix
    JOBS = "jobs"  # relabelling, mining and training runs
    MODELS = "models"  # promote, roll back, policy
    DELIVERIES = "deliveries"  # subscriptions, attempts, dead letters
    PERSONAL = "personal"  # unmasked text, export and removal of a customer
    ADMIN = "admin"  # everything, and keys and the audit log


_IMPLIED: Mapping[Scope, frozenset[Scope]] = {
    Scope.THEMES_WRITE: frozenset({Scope.THEMES_READ}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, kw_only=True)
class Principal:
    """Whoever makes a request."""

    id: str  # of the key or the token's subject, as the audit log names it
    scopes: frozenset[Scope]
    departments: frozenset[str] | None = None  # those whose data may be seen; None: all
    per_minute: int | None = None  # requests; None: as many as the service lets everyone make, 0: no limit


LOCAL = Principal(id="local", scopes=frozenset({Scope.ADMIN}))  # this machine, while no key exists


@dataclass(frozen=True, kw_only=True)
class Access:
    allowed: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """A key as it is stored: the secret itself is nowhere."""

    id: str  # public part
    name: str
    scopes: frozenset[Scope]
    departments: frozenset[str] | None
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    per_minute: int | None = None  # requests, where it has a limit of its own; 0: none

    def refusal(self, now: datetime) -> str | None:
        """Return why the key does not open at ``now``, None where it does."""
        if self.revoked_at is not None and now >= self.revoked_at:
            return f"was revoked at {self.revoked_at.isoformat(timespec='seconds')}"
        if self.expires_at is not None and now >= self.expires_at:
            return f"expired at {self.expires_at.isoformat(timespec='seconds')}"
        return None

    @property
    def principal(self) -> Principal:
        return Principal(
            id=f"key {self.id}", scopes=self.scopes, departments=self.departments, per_minute=self.per_minute
        )


def parse_scopes(names: Collection[str]) -> frozenset[Scope]:
    """Read scope names; raises InputError naming the unknown ones and all that exist."""
    known = {scope.value: scope for scope in Scope}
    unknown = sorted(set(names) - known.keys())
    if unknown:
        raise InputError(f"unknown scope {', '.join(unknown)}: choose from {', '.join(known)}")
    if not names:
        raise InputError(f"a key needs at least one scope: choose from {', '.join(known)}")
    return frozenset(known[name] for name in names)


def decide(principal: Principal, scope: Scope, *, department: str | None = None) -> Access:
    """Decide whether a principal may use a scope, and on data of a department where one is named."""
    granted = principal.scopes | {implied for own in principal.scopes for implied in _IMPLIED.get(own, ())}
    if scope not in granted:
        held = ", ".join(sorted(principal.scopes)) or "none"
        return Access(allowed=False, reason=f"{principal.id} lacks the scope {scope.value}; it has {held}")
    if department is not None and principal.departments is not None and department not in principal.departments:
        own = ", ".join(sorted(principal.departments)) or "none"
        return Access(allowed=False, reason=f"{principal.id} sees department {own}, not {department}")
    return Access(allowed=True, reason=f"{principal.id} has the scope {scope.value}")


def require(principal: Principal, scope: Scope, *, department: str | None = None) -> None:
    """Raise Forbidden with the reason unless allowed."""
    access = decide(principal, scope, department=department)
    if not access.allowed:
        raise Forbidden(access.reason)


def require_all(principal: Principal, what: str) -> None:
    """Raise Forbidden where somebody limited to departments asks for what concerns all of them."""
    if principal.departments is not None:
        own = ", ".join(sorted(principal.departments)) or "none"
        raise Forbidden(f"{principal.id} sees department {own}; {what} concerns all: use a key without departments")


def visible(principal: Principal, asked: str | None = None) -> frozenset[str] | None:
    """Return the departments that a query must be limited to, None for no limit; raises Forbidden for a foreign one."""
    if asked is None:
        return principal.departments
    if principal.departments is not None and asked not in principal.departments:
        own = ", ".join(sorted(principal.departments)) or "none"
        raise Forbidden(f"{principal.id} sees department {own}, not {asked}")
    return frozenset({asked})
