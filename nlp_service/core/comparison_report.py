"""A comparison for people: Markdown, and HTML with plots that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_TOP = 20  # rows of a table of moves
_MATRIX = 12  # labels of the transition matrix
_CELL = 26  # pixels
_LABEL = 170
_BAR = 360

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #6b7684; --line: #d9dee5; --old: #9aa7b6; --new: #2f6feb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #98a2b0; --line: #38414d; --old: #66727f; } }
body { font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif; color: var(--ink);
  max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .5rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { max-width: 100%; height: auto; } svg text { fill: currentColor; font-size: 12px; }
.soft { color: var(--soft); } .old { fill: var(--old); } .new { fill: var(--new); } .key { font-size: 13px; }
"""


def markdown(data: Mapping[str, Any], *, before: str, after: str) -> str:
    """Return the report as Markdown; ``before`` and ``after`` name the two outputs."""
    lines = [f"# {before} → {after}", "", _summary(data), "", "## Queues by department", ""]
    lines += _table(("department", "before", "after", "week before", "week after"), _queue_rows(data))
    for name in ("priority", "department", "intent"):
        lines += ["", f"## Moves by {name}", "", *_table(("before", "after", "messages"), _moves(data[name]))]
    lines += ["", "## The most telling examples", ""]
    lines += _table(("id", "message", "before", "after"), _example_rows(data))
    return "\n".join(lines) + "\n"


def html(data: Mapping[str, Any], *, before: str, after: str) -> str:
    """Return the report as one HTML page with inline plots."""
    sections = [
        f"<h1>{escape(before)} → {escape(after)}</h1><p>{escape(_summary(data))}</p>",
        "<h2>Queues by department</h2>",
        _bars(data["forecast"]),
        _html_table(("department", "before", "after", "week before", "week after"), _queue_rows(data)),
        "<h2>Intents: from row to column</h2>",
        _heat_map(data["intent"]),
    ]
    for name in ("priority", "department", "intent"):
        sections.append(f"<h2>Moves by {name}</h2>")
        sections.append(_html_table(("before", "after", "messages"), _moves(data[name])))
    sections.append("<h2>The most telling examples</h2>")
    sections.append(_html_table(("id", "message", "before", "after"), _example_rows(data)))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        f'content="width=device-width, initial-scale=1"><title>{escape(before)} → {escape(after)}</title>'
        f"<style>{_STYLE}</style></head><body>{''.join(sections)}</body></html>\n"
    )


def _summary(data: Mapping[str, Any]) -> str:
    human = data["needs_human"]
    alone = data["only_before"] + data["only_after"]
    rest = f" {alone} messages are in one output only." if alone else ""
    return (
        f"{data['messages']} messages in both, {data['changed']} ({data['changed_share']:.1%}) labelled, prioritised "
        f"or routed otherwise. To a person: {human['before']} before, {human['after']} after. "
        f"Mean sentiment moved by {data['mean_sentiment_shift']:+.3f}.{rest}"
    )


def _queue_rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (row["department"], str(row["before"]), str(row["after"]), _span(row, "before"), _span(row, "after"))
        for row in data["forecast"]
    ]


def _span(row: Mapping[str, Any], side: str) -> str:
    week = row.get(f"{side}_week")
    return f"{week['expected']} ({week['low']} to {week['high']})" if week else "no times"


def _moves(matrix: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    moved = [entry for entry in matrix if entry["before"] != entry["after"]][:_TOP]
    return [(entry["before"], entry["after"], str(entry["messages"])) for entry in moved]


def _example_rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    return [
        (entry["id"], entry["text"][:160], _side(entry["before"]), _side(entry["after"])) for entry in data["examples"]
    ]


def _side(side: Mapping[str, Any]) -> str:
    person = ", to a person" if side["needs_human"] else ""
    return f"{side['intent']} {side['confidence']:.2f}, {side['priority']}, {side['department']}{person}"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    if not rows:
        return ["None."]
    cells = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    return [f"| {' | '.join(header)} |", f"|{' --- |' * len(header)}", *[f"| {' | '.join(row)} |" for row in cells]]


def _html_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return '<p class="soft">None.</p>'
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    body = "".join(
        "<tr>" + "".join(f"<td{_numeric(cell)}>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _numeric(cell: str) -> str:
    return ' class="n"' if cell.isdigit() else ""


def _bars(rows: Sequence[Mapping[str, Any]]) -> str:
    """Two bars a department: messages before and after."""
    if not rows:
        return ""
    largest = max(max(row["before"], row["after"]) for row in rows) or 1
    parts = []
    for place, row in enumerate(rows):
        top = 34 * place
        parts.append(f'<text x="{_LABEL - 8}" y="{top + 19}" text-anchor="end">{escape(row["department"])}</text>')
        for offset, side, style in ((2, "before", "old"), (15, "after", "new")):
            width = _BAR * row[side] / largest
            parts.append(
                f'<rect class="{style}" x="{_LABEL}" y="{top + offset}" width="{width:.1f}" height="11" rx="2"/>'
                f'<text x="{_LABEL + width + 6:.1f}" y="{top + offset + 10}">{row[side]}</text>'
            )
    size = f'viewBox="0 0 {_LABEL + _BAR + 90} {34 * len(rows) + 4}"'
    title = "Messages by department before (grey) and after (blue)"
    return f'<svg role="img" aria-label="{title}" {size}>{"".join(parts)}</svg><p class="soft key">{title}.</p>'


def _heat_map(matrix: Sequence[Mapping[str, Any]]) -> str:
    """The intents that move most: each row's share by column."""
    moved: dict[str, int] = {}
    for entry in matrix:
        if entry["before"] != entry["after"]:
            for side in ("before", "after"):
                moved[entry[side]] = moved.get(entry[side], 0) + entry["messages"]
    names = sorted(moved, key=lambda name: (-moved[name], name))[:_MATRIX]
    if not names:
        return '<p class="soft">No intent moved.</p>'
    counts = {(entry["before"], entry["after"]): entry["messages"] for entry in matrix}
    totals: dict[str, int] = {}
    for entry in matrix:
        totals[entry["before"]] = totals.get(entry["before"], 0) + entry["messages"]
    parts = []
    for y, old in enumerate(names):
        top = _LABEL + _CELL * y
        parts.append(f'<text x="{_LABEL - 6}" y="{top + 17}" text-anchor="end">{escape(old)}</text>')
        left = _LABEL + _CELL * y
        parts.append(f'<text transform="translate({left + 17},{_LABEL - 6}) rotate(-60)">{escape(old)}</text>')
        for x, new in enumerate(names):
            count = counts.get((old, new), 0)
            share = count / max(totals.get(old, 0), 1)
            parts.append(
                f'<rect class="{"old" if x == y else "new"}" x="{_LABEL + _CELL * x}" y="{top}" width="{_CELL - 2}" '
                f'height="{_CELL - 2}" fill-opacity="{0.06 + 0.94 * share:.2f}"><title>{escape(old)} → {escape(new)}: '
                f"{count}</title></rect>"
            )
    extent = _LABEL + _CELL * len(names)
    title = "Share of each intent before (row) that became another (column)"
    return (
        f'<svg role="img" aria-label="{title}" viewBox="0 0 {extent + 110} {extent + 4}">{"".join(parts)}</svg>'
        f'<p class="soft key">{title}; grey: stayed.</p>'
    )
