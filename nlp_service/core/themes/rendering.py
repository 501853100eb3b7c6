"""A digest as Markdown and as one HTML page with its plots inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

_HEADINGS = {
    "top": ("最常被提到", "Heard most"),
    "movers": ("正在上升", "Rising"),
    "new": ("新出现", "New"),
    "fixed": ("已修复", "Fixed"),
}
_VERDICTS = {
    "worked": ("修复有效", "the fix worked"),
    "did_not": ("修复无效", "the fix did not work"),
    "not_yet_known": ("尚不能判断", "not yet known"),
}
_WORDS = {
    "title": ("客户之声", "What customers say"),
    "customers": ("位顾客", "customers"),
    "of_all": ("占全部反馈", "of all feedback"),
    "none": ("本周没有。", "None this week."),
    "copies": ("复制粘贴的文字只计一次", "copies counted once"),
}
_STYLE = """body{font:15px/1.6 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1d2733}
h1{font-size:1.5rem}h2{font-size:1.1rem;border-bottom:1px solid #d6dde5;padding-top:1rem}article{margin:1rem 0}
.share{color:#0a5c8f;font-weight:600}.up{color:#b3261e}blockquote{margin:.2rem 0 .2rem 1rem;color:#4a5865}
svg{vertical-align:middle}@media(prefers-color-scheme:dark){body{background:#14191f;color:#dbe3ea}.share{color:#6cb8e6}
blockquote{color:#a9b6c2}h2{border-color:#2c3640}}"""


def as_markdown(digest: Mapping[str, Any], *, language: str = "zh") -> str:
    """Return a digest as Markdown, in Chinese or English."""
    say = _speaker(language)
    lines = [f"# {say(_WORDS['title'])} {_span(digest)}", ""]
    for key, heading in _HEADINGS.items():
        lines += [f"## {say(heading)}", ""]
        lines += [line for theme in digest[key] for line in _markdown_entry(theme, say)] or [say(_WORDS["none"]), ""]
    return "\n".join(lines)


def as_html(digest: Mapping[str, Any], *, language: str = "zh") -> str:
    """Return a digest as one page that loads nothing."""
    say = _speaker(language)
    title = f"{say(_WORDS['title'])} {_span(digest)}"
    body = [f"<h1>{escape(title)}</h1>"]
    for key, heading in _HEADINGS.items():
        body.append(f"<h2>{escape(say(heading))}</h2>")
        body += [_html_entry(theme, say) for theme in digest[key]] or [f"<p>{escape(say(_WORDS['none']))}</p>"]
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{''.join(body)}</body></html>\n"
    )


def sparkline(values: Sequence[float], *, width: int = 120, height: int = 24) -> str:
    """Return a small inline SVG line; empty for fewer than two values."""
    if len(values) < 2:
        return ""
    top = max(*values, 1)
    step = width / (len(values) - 1)
    points = " ".join(f"{i * step:.1f},{height - 2 - (height - 4) * value / top:.1f}" for i, value in enumerate(values))
    label = ", ".join(f"{value:g}" for value in values)
    return (
        f'<svg width="{width}" height="{height}" role="img" aria-label="{label}">'
        f'<polyline points="{points}" fill="none" stroke="currentColor" stroke-width="1.5"/></svg>'
    )


def _speaker(language: str) -> Any:
    index = 0 if language.startswith("zh") else 1
    return lambda pair: pair[index]


def _span(digest: Mapping[str, Any]) -> str:
    return f"{digest['from'][:10]} – {digest['to'][:10]}"


def _facts(theme: Mapping[str, Any], say: Any) -> str:
    share = theme["share"]
    said = f"{theme['customers']} {say(_WORDS['customers'])}"
    if share:
        said += f", {share['value']:.1%} ({share['low']:.1%}–{share['high']:.1%}) {say(_WORDS['of_all'])}"
    if theme["growth"] and theme["growth"]["rising"]:
        said += f", ↑ ×{theme['growth']['ratio']['value']:.1f}"
    if theme["fix"]:
        said += f"; {say(_VERDICTS[theme['fix']['verdict']])} ({theme['fix']['because']})"
    return said


def _markdown_entry(theme: Mapping[str, Any], say: Any) -> list[str]:
    lines = [f"### {_literal(theme['title'])}", "", _facts(theme, say), ""]
    lines += [f"- {text}" for text in theme["stands_out"]]
    lines += [f"- {say(_WORDS['copies'])}: {copy['messages']} × {_literal(copy['text'])}" for copy in theme["copies"]]
    lines += [f"> {_literal(quote)}\n" for quote in theme["quotes"]]
    return [*lines, ""]


def _literal(text: str) -> str:
    """Return one line that Markdown shows as it was said: no tag, no link, no heading of the customer's making."""
    return re.sub(r"([\\`*_\[\]])", r"\\\1", " ".join(text.split())).replace("&", "&amp;").replace("<", "&lt;")


def _html_entry(theme: Mapping[str, Any], say: Any) -> str:
    notes = [escape(text) for text in theme["stands_out"]]
    notes += [
        f"{escape(say(_WORDS['copies']))}: {copy['messages']} × {escape(copy['text'])}" for copy in theme["copies"]
    ]
    listed = "".join(f"<li>{note}</li>" for note in notes)
    quotes = "".join(f"<blockquote>{escape(quote)}</blockquote>" for quote in theme["quotes"])
    plot = sparkline(theme["series"]) or sparkline(theme["daily"])
    return (
        f"<article><h3>{escape(theme['title'])} {plot}</h3>"
        f'<p class="share">{escape(_facts(theme, say))}</p><ul>{listed}</ul>{quotes}</article>'
    )
