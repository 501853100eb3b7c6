"""A readable card of one answer for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from nlp_service.contract.taxonomy import Taxonomy

_PRIORITY_STYLE = {"urgent": "bold red", "normal": "yellow", "low": "green"}


def card(answer: Mapping[str, Any], taxonomy: Taxonomy) -> RenderableType:
    """Draw what was understood of a message: labels with confidence bars, priority, route and reasons."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    table.add_column()
    intent = answer["intent"]
    table.add_row("意图 intent", _named(intent, taxonomy), _bar(intent["confidence"]))
    for other in intent["alternatives"]:
        table.add_row("", Text(_named(other, taxonomy), style="dim"), _bar(other["confidence"]))
    sentiment = answer["sentiment"]
    table.add_row(
        "情感 sentiment", f"{_named(sentiment, taxonomy)}  {sentiment['score']:+.2f}", _bar(sentiment["confidence"])
    )
    table.add_row("情绪 emotion", _named(answer["emotion"], taxonomy), _bar(answer["emotion"]["confidence"]))
    for flag in answer["flags"]:
        table.add_row("标记 flag", _named(flag, taxonomy), _bar(flag["confidence"]))
    language = answer["language"]
    table.add_row("语言 language", f"{language['code']} {language['script']}", _bar(language["confidence"]))
    priority = answer["priority"]
    style = _PRIORITY_STYLE.get(priority["level"], "")
    minutes = f"{taxonomy.name(priority['level'])} {priority['level']}, {priority['respond_within_minutes']} min"
    table.add_row("优先级 priority", Text(minutes, style=style), "")
    for reason in priority["reasons"]:
        table.add_row("", Text(f"{reason['rule']}: {reason['because']}", style="dim"), "")
    table.add_row("部门 department", f"{answer['route']['department']} ({answer['route']['reason']})", "")
    human = answer["needs_human"]
    if human["value"]:
        table.add_row("转人工 human", Text("yes: " + ", ".join(human["reasons"]), style="bold magenta"), "")
    else:
        table.add_row("转人工 human", "no", "")
    for theme in answer["themes"]:
        table.add_row("主题 theme", theme["title"], _bar(theme["similarity"]))
    for tag in answer["customer"]["tags"]:
        table.add_row("客户 customer", f"{tag['tag']}: {'; '.join(tag['reasons'])}", "")
    footer = Text(f"{answer['model']['name']} {answer['model']['version']}", style="dim", justify="right")
    return Panel(Group(Text(answer["masked_text"]), Text(), table, footer), expand=False)


def _named(item: Mapping[str, Any], taxonomy: Taxonomy) -> str:
    return f"{taxonomy.name(item['label'])} {item['label']}"


def _bar(confidence: float) -> Text:
    filled = round(confidence * 10)
    return Text("█" * filled + "░" * (10 - filled) + f" {confidence:.2f}")
