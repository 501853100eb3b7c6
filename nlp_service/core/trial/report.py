"""A trial for people and programs: JSON-ready data, Markdown, and HTML with plots that needs nothing from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from typing import Any

from nlp_service.core.trial.values import Check, Verdict

_ROW, _NAME, _PLOT = 20, 250, 420  # pixels: height of a row, width of the names, width of the plot
_COLOURS = {"better": "#1a7f37", "kept": "#57606a", "doubtful": "#bf8700", "worse": "#cf222e"}
_HEADS = ("kind", "name", "set", "messages", "accepted", "candidate", "change", "95% interval", "tolerated", "outcome")
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif;
  max-width: 1000px; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; padding: .25rem .5rem;
  border-bottom: 1px solid #8884; } svg { max-width: 100%; height: auto; } svg text { fill: currentColor;
  font-size: 12px; } .promote { color: #1a7f37; } .hold { color: #bf8700; } .reject { color: #cf222e; }
"""


def as_data(verdict: Verdict) -> dict[str, Any]:
    """Return the verdict as JSON-ready data."""
    return {
        "decision": verdict.decision,
        "reasons": list(verdict.reasons),
        "checks": [{**asdict(check), "change": check.change} for check in verdict.checks],
        "unjudged": list(verdict.unjudged),
    }


def markdown(verdict: Verdict, about: Mapping[str, str]) -> str:
    """Return the report as Markdown; ``about`` names candidate, accepted and further facts."""
    lines = [f"# {about['candidate']} against {about['accepted']}: {verdict.decision}", ""]
    lines += [f"- {reason}" for reason in verdict.reasons]
    lines += ["", *(f"{name}: {value}  " for name, value in about.items()), "", "## Checks", ""]
    lines += [f"| {' | '.join(_HEADS)} |", "|" + "---|" * len(_HEADS)]
    lines += [f"| {' | '.join(_cells(check))} |" for check in _ordered(verdict.checks)]
    if verdict.unjudged:
        lines += ["", f"Too few messages to judge: {', '.join(verdict.unjudged)}."]
    return "\n".join(lines) + "\n"


def html(verdict: Verdict, about: Mapping[str, str], reliability: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Return one HTML page; ``reliability`` maps a model's name to rows of {"confidence", "accuracy", "n"}."""
    title = escape(f"{about['candidate']} against {about['accepted']}")
    reasons = "".join(f"<li>{escape(reason)}</li>" for reason in verdict.reasons)
    facts = "".join(f"<li>{escape(name)}: {escape(value)}</li>" for name, value in about.items())
    rows = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in _cells(check))}</tr>"
        for check in _ordered(verdict.checks)
    )
    heads = "".join(f"<th>{name}</th>" for name in _HEADS)
    few = f"<p>Too few messages to judge: {escape(', '.join(verdict.unjudged))}.</p>" if verdict.unjudged else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f'<p>Verdict: <strong class="{verdict.decision}">{verdict.decision}</strong></p><ul>{reasons}</ul>'
        f"<h2>Change, with its 95% interval</h2>{_forest(verdict.checks)}"
        f"<h2>Reliability of the intent confidence</h2>{_diagrams(reliability)}"
        f"<h2>Checks</h2><table><tr>{heads}</tr>{rows}</table>{few}<h2>About</h2><ul>{facts}</ul></body></html>\n"
    )


def _ordered(checks: Sequence[Check]) -> list[Check]:
    rank = {"worse": 0, "doubtful": 1, "better": 2, "kept": 3}
    return sorted(checks, key=lambda check: rank[check.outcome])


def _cells(check: Check) -> tuple[str, ...]:
    digits = 1 if check.kind == "cost" else 3
    return (
        check.kind,
        check.name,
        check.set,
        str(check.messages) if check.messages else "",
        f"{check.before:.{digits}f}",
        f"{check.after:.{digits}f}",
        f"{check.change:+.{digits}f}",
        "" if check.kind == "cost" else f"{check.low:+.3f} to {check.high:+.3f}",
        f"{check.tolerance:.{digits}f}",
        check.outcome,
    )


def _forest(checks: Sequence[Check]) -> str:
    """Draw every change as a dot on its interval, zero in the middle."""
    shown = [check for check in checks if check.kind != "cost"]
    reach = max([0.05, *(abs(edge) for check in shown for edge in (check.low, check.high))])
    height = _ROW * (len(shown) + 2)

    def place(value: float) -> float:
        return _NAME + _PLOT * (value + reach) / (2 * reach)

    parts = [f'<line x1="{place(0):.1f}" x2="{place(0):.1f}" y1="0" y2="{height - _ROW}" stroke="#8888"/>']
    for number, check in enumerate(shown):
        y = _ROW * (number + 0.5)
        colour = _COLOURS[check.outcome]
        parts.append(f'<text x="0" y="{y + 4:.1f}">{escape(f"{check.kind} {check.name}"[:38])}</text>')
        parts.append(
            f'<line x1="{place(check.low):.1f}" x2="{place(check.high):.1f}" y1="{y}" y2="{y}" stroke="{colour}" '
            f'stroke-width="2"/><circle cx="{place(check.change):.1f}" cy="{y}" r="4" fill="{colour}"/>'
        )
    parts += [
        f'<text x="{place(edge):.1f}" y="{height - 4}" text-anchor="middle">{edge:+.2f}</text>'
        for edge in (-reach * 0.9, 0.0, reach * 0.9)
    ]
    label = "Change of every figure from the accepted model to the candidate"
    return f'<svg viewBox="0 0 {_NAME + _PLOT} {height}" role="img" aria-label="{label}">{"".join(parts)}</svg>'


def _diagrams(reliability: Mapping[str, Sequence[Mapping[str, float]]]) -> str:
    """Draw accuracy over confidence, one diagram a model; on the diagonal a confidence is what it says."""
    size, gap = 220, 60
    parts = []
    for number, (name, rows) in enumerate(reliability.items()):
        left = number * (size + gap) + 30
        dots = "".join(
            f'<circle cx="{left + size * row["confidence"]:.1f}" cy="{20 + size * (1 - row["accuracy"]):.1f}" '
            f'r="{2 + min(10.0, row["n"] ** 0.5 / 4):.1f}" fill="#2f6feb" fill-opacity=".7"/>'
            for row in rows
        )
        parts.append(
            f'<text x="{left}" y="14">{escape(name)}</text><rect x="{left}" y="20" width="{size}" height="{size}" '
            f'fill="none" stroke="#8888"/><line x1="{left}" y1="{20 + size}" x2="{left + size}" y2="20" '
            f'stroke="#8888"/>{dots}<text x="{left}" y="{size + 38}">confidence →</text>'
        )
    width = len(reliability) * (size + gap) + 30
    label = "Accuracy over confidence of both models"
    return f'<svg viewBox="0 0 {width} {size + 50}" role="img" aria-label="{label}">{"".join(parts)}</svg>'
