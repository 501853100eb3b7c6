"""What a check finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from nlp_service.contract.corpus import Record

# kind -> whether it is an error: training on it would be wrong, or fail. The order is that of the report.
KINDS: Mapping[str, bool] = {
    "unreadable": True,
    "unknown_label": True,
    "empty": True,
    "oversized": True,
    "conflict": True,
    "leak": True,
    "unknown_field": False,
    "unknown_language": False,
    "no_licence": False,
    "no_words": False,
    "long": False,
    "exact_duplicate": False,
    "near_duplicate": False,
    "likely_wrong": False,
    "personal": False,
}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One fault of one line."""

    kind: str  # one of KINDS
    line: int  # counted from 1
    detail: str
    head: str | None = None  # the label field that it is about
    label: str | None = None  # what stands there
    better: str | None = None  # what most likely should
    other: int | None = None  # the line that it repeats or contradicts
    score: float = 0.0  # how sure, 0 to 1


@dataclass(frozen=True, kw_only=True)
class Line:
    """A readable line."""

    number: int  # counted from 1
    record: Record


@dataclass(frozen=True, kw_only=True)
class Report:
    name: str  # of the file
    read: int  # lines that are not blank
    lines: Sequence[Line]  # readable
    findings: Sequence[Finding]  # by kind in the order of KINDS, within a kind the most telling first
    balance: Mapping[str, Mapping[str, int]]  # head -> label -> records, labels of the taxonomy without any included
    languages: Mapping[str, int] = field(default_factory=dict)
    skipped: Sequence[str] = ()  # checks that were not made, and why

    @property
    def errors(self) -> int:
        return sum(KINDS[finding.kind] for finding in self.findings)

    def of(self, kind: str) -> list[Finding]:
        return [finding for finding in self.findings if finding.kind == kind]


def labels_of(record: Record) -> dict[str, str | None]:
    """Return the single labels of a record by head; the sentiment as text."""
    return {
        "intent": record.intent,
        "sentiment": None if record.sentiment is None else str(record.sentiment),
        "emotion": record.emotion,
        "priority": record.priority,
    }
