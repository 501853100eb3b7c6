"""How long stored data are kept: days for each kind, checked where a law or the audit asks for a minimum."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from nlp_service.errors import ConfigurationError

AUDIT_MINIMUM_DAYS = 3 * 365


@dataclass(frozen=True, kw_only=True)
class RetentionRules:
    days: Mapping[str, int | None] = field(default_factory=dict)  # kind of data -> days; None or absent: kept

    def __post_init__(self) -> None:
        for kind, days in self.days.items():
            if days is not None and days < 1:
                raise ConfigurationError(f"retention of {kind} is {days} days: give at least 1, or none to keep it")
        audit = self.days.get("audit_log")
        if audit is not None and audit < AUDIT_MINIMUM_DAYS:
            raise ConfigurationError(f"retention of audit_log is {audit} days: at least {AUDIT_MINIMUM_DAYS} are kept")

    def limits(self, now: datetime) -> Mapping[str, datetime]:
        """Return for each kind with a limit the moment before which it goes."""
        return {kind: now - timedelta(days=days) for kind, days in self.days.items() if days is not None}
