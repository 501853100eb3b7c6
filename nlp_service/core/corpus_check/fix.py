"""The fixed copy of a corpus: what can be put right without a person is, and every change is told."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nlp_service.contract.corpus import Record
from nlp_service.contract.inputs import compose
from nlp_service.core.corpus_check.values import Finding, Report, labels_of
from nlp_service.core.privacy import find_pii, mask

SURE_NAME = 0.8  # likeness from which an unknown label is renamed to the nearest known


@dataclass(frozen=True, kw_only=True)
class Change:
    line: int
    action: str  # dropped, renamed, unlabelled, masked
    why: str


def fix(report: Report, *, drop_suspects: bool = False) -> tuple[list[Record], list[Change]]:
    """Return the records of the fixed copy and what was changed, by line.

    Unreadable lines, copies and leaks are dropped; an unknown label is renamed where the nearest is clear, else taken
    away; contradicting labels follow the majority or are taken away; personal data is masked. Likely wrong labels are
    left to a person unless ``drop_suspects`` takes them away.
    """
    changes = [
        Change(line=finding.line, action="dropped", why=f"{finding.kind}: {finding.detail}")
        for finding in report.findings
        if finding.kind in ("unreadable", "empty")
    ]
    by_line: dict[int, list[Finding]] = defaultdict(list)
    for finding in report.findings:
        by_line[finding.line].append(finding)
    votes = _votes(report)
    kept = []
    for line in report.lines:
        findings = by_line[line.number]
        if gone := next((finding for finding in findings if _drops(finding)), None):
            changes.append(Change(line=line.number, action="dropped", why=f"{gone.kind}: {gone.detail}"))
            continue
        record, own = _fixed(line.record, findings, drop_suspects=drop_suspects)
        record, settled = _settled(record, votes)
        kept.append(record)
        changes += [Change(line=line.number, action=action, why=why) for action, why in (*own, *settled)]
    return kept, sorted(changes, key=lambda change: change.line)


def _drops(finding: Finding) -> bool:
    return finding.kind in ("oversized", "exact_duplicate", "near_duplicate", "leak")


def _fixed(record: Record, findings: Sequence[Finding], *, drop_suspects: bool) -> tuple[Record, list[tuple[str, str]]]:
    changes: list[tuple[str, str]] = []
    for finding in findings:
        if finding.kind == "unknown_label" and finding.head and finding.label:
            better = finding.better if finding.score >= SURE_NAME else None
            record = _relabelled(record, finding.head, finding.label, better)
            changes.append(("renamed" if better else "unlabelled", finding.detail))
        elif finding.kind == "likely_wrong" and drop_suspects and finding.head:
            record = _relabelled(record, finding.head, finding.label or "", None)
            changes.append(("unlabelled", finding.detail))
    spans, turns = find_pii(record.text), tuple(mask(turn, find_pii(turn)) for turn in record.context)
    if spans or turns != record.context:
        record = replace(record, text=mask(record.text, spans), context=turns)
        changes.append(("masked", ", ".join(sorted({span.kind for span in spans})) or "context"))
    return record, changes


def _relabelled(record: Record, head: str, label: str, better: str | None) -> Record:
    if head == "flags":
        flags = tuple(better if flag == label else flag for flag in record.flags or ())
        return replace(record, flags=tuple(dict.fromkeys(flag for flag in flags if flag)))
    return replace(record, **{head: better})  # type: ignore[arg-type]


def _votes(report: Report) -> dict[tuple[str, str], dict[str, Counter[str]]]:
    """Count, for each text that has contradicting labels, how often each was given."""
    contested = {finding.line for finding in report.of("conflict")}
    texts = {compose(line.record.text, line.record.context) for line in report.lines if line.number in contested}
    votes: dict[tuple[str, str], dict[str, Counter[str]]] = {}
    for line in report.lines:
        text = compose(line.record.text, line.record.context)
        if text in texts:
            for head, label in labels_of(line.record).items():
                if label is not None:
                    votes.setdefault(text, {}).setdefault(head, Counter())[label] += 1
    return votes


def _settled(
    record: Record, votes: dict[tuple[str, str], dict[str, Counter[str]]]
) -> tuple[Record, list[tuple[str, str]]]:
    """Give a record whose copies contradict each other the label of the majority, or none."""
    changes = []
    for head, counted in votes.get(compose(record.text, record.context), {}).items():
        if len(counted) < 2:
            continue
        label, most = counted.most_common(1)[0]
        winner = label if most > counted.total() / 2 else None
        value = int(winner) if head == "sentiment" and winner is not None else winner
        record = replace(record, **{head: value})  # type: ignore[arg-type]
        said = ", ".join(f"{name} {n}" for name, n in counted.most_common())
        changes.append(("renamed" if winner else "unlabelled", f"copies say {head} {said}"))
    return record, changes
