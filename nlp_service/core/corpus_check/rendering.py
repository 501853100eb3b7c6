"""A check's report as one HTML page that needs nothing from outside, and as plain data."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

from nlp_service.core.corpus_check.values import KINDS, Finding, Report
from nlp_service.core.privacy import find_pii, mask

SHOWN = 200  # findings of a kind on the page
_TEXT = 160  # characters of a text on the page

_STYLE = """
:root { color-scheme: light dark; --soft: #6b7684; --line: #d9dee5; --bar: #2f6feb; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --soft: #98a2b0; --line: #38414d; --bad: #ff8a80; } }
body { font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0 1.6rem; }
th, td { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top;
  overflow-wrap: anywhere; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.soft { color: var(--soft); } .bad { color: var(--bad); font-weight: 600; }
.bar { background: var(--bar); height: .6rem; border-radius: 2px; min-width: 1px; }
"""

TITLES = {
    "unreadable": "Lines that cannot be read",
    "unknown_label": "Labels that the taxonomy does not have",
    "empty": "Lines without text",
    "oversized": "Texts that the service would refuse",
    "conflict": "The same text with different labels",
    "leak": "Texts that stand in an evaluation set",
    "unknown_field": "Fields that the format does not have",
    "unknown_language": "Languages that the model does not serve",
    "no_licence": "Records without a licence",
    "no_words": "Texts without a letter or digit",
    "long": "Very long texts",
    "exact_duplicate": "Copies",
    "near_duplicate": "Near copies",
    "likely_wrong": "Likely wrong labels, the most suspect first",
    "personal": "Personal data",
}


def as_data(report: Report) -> dict[str, Any]:
    """Return the report as JSON-ready data; it holds no text."""
    fields = ("line", "detail", "head", "label", "better", "other", "score")
    findings = {
        kind: [{name: value for name in fields if (value := getattr(found, name)) is not None} for found in own]
        for kind in KINDS
        if (own := report.of(kind))
    }
    return {
        "file": report.name,
        "lines": report.read,
        "records": len(report.lines),
        "errors": report.errors,
        "counts": dict(Counter(finding.kind for finding in report.findings)),
        "languages": dict(report.languages),
        "balance": {head: dict(counted) for head, counted in report.balance.items()},
        "skipped": list(report.skipped),
        "findings": findings,
    }


def as_html(report: Report) -> str:
    """Return the report as a page; texts on it are masked."""
    texts = {line.number: line.record.text for line in report.lines}
    sections = [f"<h1>{escape(report.name)}</h1><p>{escape(summary(report))}</p>"]
    sections += [f'<p class="soft">Not checked: {escape(reason)}</p>' for reason in report.skipped]
    sections.append(_contents(report))
    for kind in KINDS:
        if found := report.of(kind):
            sections.append(_section(kind, found, texts))
    for head, counted in report.balance.items():
        sections.append(_balance(head, counted))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(report.name)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )


def summary(report: Report) -> str:
    """Say in a line how the corpus is."""
    warnings = len(report.findings) - report.errors
    return f"{report.read} lines, {len(report.lines)} records, {report.errors} errors, {warnings} warnings"


def _contents(report: Report) -> str:
    counts = Counter(finding.kind for finding in report.findings)
    rows = "".join(
        f'<tr><td><a href="#{kind}">{escape(TITLES[kind])}</a></td><td>{_severity(kind)}</td>'
        f'<td class="n">{counts[kind]}</td></tr>'
        for kind in KINDS
        if counts[kind]
    )
    return f'<table><tr><th>What</th><th></th><th class="n">Findings</th></tr>{rows}</table>' if rows else ""


def _severity(kind: str) -> str:
    return '<span class="bad">error</span>' if KINDS[kind] else "warning"


def _section(kind: str, found: list[Finding], texts: dict[int, str]) -> str:
    rows = "".join(
        f'<tr><td class="n">{finding.line}</td><td>{escape(_shown(texts.get(finding.line, "")))}</td>'
        f"<td>{escape(finding.detail)}</td></tr>"
        for finding in found[:SHOWN]
    )
    more = f'<p class="soft">and {len(found) - SHOWN} more</p>' if len(found) > SHOWN else ""
    head = f'<h2 id="{kind}">{escape(TITLES[kind])} ({len(found)})</h2>'
    return f'{head}<table><tr><th class="n">Line</th><th>Text</th><th>Finding</th></tr>{rows}</table>{more}'


def _balance(head: str, counted: Any) -> str:
    total = sum(counted.values()) or 1
    most = max(counted.values()) or 1
    rows = "".join(
        f'<tr><td>{escape(label)}</td><td class="n">{n}</td><td class="n">{n / total:.1%}</td>'
        f'<td style="width:50%"><div class="bar" style="width:{100 * n / most:.1f}%"></div></td></tr>'
        for label, n in counted.items()
    )
    return f"<h2>{escape(head)}</h2><table>{rows}</table>"


def _shown(text: str) -> str:
    masked = mask(text, find_pii(text))
    return masked if len(masked) <= _TEXT else f"{masked[:_TEXT]}…"
