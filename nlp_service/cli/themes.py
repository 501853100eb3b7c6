"""`nlp-service themes`: what customers say again and again, found, followed and decided upon."""

from __future__ import annotations

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.corrections import Corrections
from nlp_service.adapters.db.themes import Themes
from nlp_service.bootstrap.parts import now, open_database, open_messages, open_mine, open_taxonomy, open_themes
from nlp_service.cli.themes_file import mine_file
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.calibration import read_calibration
from nlp_service.core.delivery.events import encode
from nlp_service.core.stored import Window
from nlp_service.core.themes.rendering import as_html, as_markdown
from nlp_service.core.themes.report import digest
from nlp_service.core.themes.splits import sentence
from nlp_service.core.themes.values import Theme
from nlp_service.errors import InvalidMessage
from nlp_service.flows.steer import Steer
from nlp_service.settings import Settings
from nlp_service.wire.themes import ThemeOut

app = typer.Typer(help="What customers say again and again.", no_args_is_help=True)
_BY = typer.Option(None, "--by", help="Who decides; your user name by default.")
_ID = typer.Argument(help="The theme's id, as `themes list` shows it.")
_JSON = typer.Option(False, "--json", help="Print JSON.")


class Form(StrEnum):
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


@dataclass(frozen=True, kw_only=True)
class _Opened:
    themes: Themes
    steer: Steer


@contextmanager
def _opened() -> Iterator[_Opened]:
    settings = Settings()
    with open_database(settings) as database:
        themes = open_themes(settings, database)
        yield _Opened(themes=themes, steer=Steer(themes=themes, now=now))


@app.command("list")
def listed(
    state: str | None = typer.Option(None, "--state", help="Only themes in this state."),
    department: str | None = typer.Option(None, "--department", help="Only themes that concern it."),
    every: bool = typer.Option(False, "--all", help="Also merged, dismissed and quiet ones."),
    limit: int = typer.Option(30, "--limit", min=1, help="At most this many."),
    as_json: bool = _JSON,
) -> None:
    """List themes, greatest share first.

    Example: nlp-service themes list --department product_team
    """
    with _opened() as opened:
        themes = [theme for theme in opened.themes.themes() if _wanted(theme, state, department, every=every)][:limit]
    if as_json:
        _dump([ThemeOut.of(theme).model_dump(mode="json") for theme in themes])
    else:
        print_themes(themes)


@app.command("show")
def show(theme_id: str = _ID, as_json: bool = _JSON) -> None:
    """Show one theme: numbers, splits, quotes, and what happened to it.

    Example: nlp-service themes show thm_5f2c9a7be01d44c3a9e1
    """
    with _opened() as opened:
        theme, events = opened.themes.get(theme_id), opened.themes.events(theme_id=theme_id)
    if as_json:
        _dump(ThemeOut.of(theme).model_dump(mode="json"))
        return
    console = Console()
    print_themes([theme])
    for phrase in theme.name.phrases:
        console.print(f"  phrase  {phrase}", markup=False)
    for quote in theme.name.quotes:
        console.print(f"  quote   {quote.text}", markup=False)
    for split in theme.measure.splits if theme.measure else ():
        console.print(f"  stands out  {sentence(split)}", markup=False)
    for index, part in enumerate(theme.parts):
        console.print(f"  part {index}  {part.title} ({part.messages})", markup=False)
    for event in events:
        console.print(f"  {event.at:%Y-%m-%d %H:%M}  {event.kind}: {event.reason}", markup=False)


@app.command("timeline")
def timeline(theme_id: str = _ID) -> None:
    """Print a theme's numbers by window.

    Example: nlp-service themes timeline thm_5f2c9a7be01d44c3a9e1
    """
    table = Table("window to", "messages", "counted", "customers", "share", "growth")
    with _opened() as opened:
        opened.themes.get(theme_id)
        for seen in opened.themes.timeline(theme_id):
            share = f"{seen.share.value:.1%} ({seen.share.low:.1%}-{seen.share.high:.1%})"
            growth = f"x{seen.growth.ratio.value:.1f}" if seen.growth else ""
            row = (f"{seen.window.end:%Y-%m-%d}", str(seen.messages), str(seen.counted), str(seen.customers))
            table.add_row(*row, share, growth)
    Console().print(table)


@app.command("quotes")
def quotes(theme_id: str = _ID, limit: int = typer.Option(20, "--limit", min=1, help="At most this many.")) -> None:
    """Print a theme's newest messages, masked.

    Example: nlp-service themes quotes thm_5f2c9a7be01d44c3a9e1
    """
    with _opened() as opened:
        opened.themes.get(theme_id)
        for heard in opened.themes.heard(theme_id, limit=limit):
            sys.stdout.write(f"{heard.occurred_at:%Y-%m-%d %H:%M}  {heard.similarity:.2f}  {heard.text}\n")


@app.command("events")
def events(limit: int = typer.Option(50, "--limit", min=1, help="At most this many.")) -> None:
    """Print what happened to themes, newest first, one JSON object a line.

    Example: nlp-service themes events --limit 10
    """
    with _opened() as opened:
        for event in opened.themes.events(limit=limit):
            sys.stdout.write(orjson.dumps(encode(event)).decode() + "\n")


@app.command("mine")
def mine(
    source: Path | None = typer.Option(None, "--input", help="Mine a JSONL file of messages, without a service."),
    days: int = typer.Option(7, "--days", min=1, help="Days that the numbers are about; a file is taken whole."),
    as_json: bool = _JSON,
) -> None:
    """Find themes in what is stored, or in a file.

    Example: nlp-service themes mine --input reviews.jsonl
    """
    settings = Settings()
    if source is not None:
        themes = mine_file(settings, source)
        if as_json:
            _dump([ThemeOut.of(theme).model_dump(mode="json") for theme in themes])
        else:
            print_themes(themes)
        return
    scope = read_calibration(read_accepted(settings.models) / "calibration.json").scope_threshold
    with open_database(settings) as database:
        run = open_mine(
            settings,
            open_messages(settings, database),
            open_themes(settings, database),
            open_taxonomy(settings),
            scope_threshold=scope,
            corrections=Corrections(database),
        )
        at = now()
        mining = run(window=Window(start=at - timedelta(days=days), end=at))
    _dump(mining.summary())


@app.command("merge")
def merge(theme_id: str = _ID, into: str = typer.Option(help="The theme that goes on."), by: str | None = _BY) -> None:
    """Let a theme go on as another.

    Example: nlp-service themes merge thm_a --into thm_b
    """
    _decide(lambda steer: steer.merge(theme_id, into=into, by=_who(by)))


@app.command("split")
def split(
    theme_id: str = _ID, part: int = typer.Option(min=0, help="Index of the sub-theme."), by: str | None = _BY
) -> None:
    """Make a sub-theme a theme of its own.

    Example: nlp-service themes split thm_a --part 0
    """
    _decide(lambda steer: steer.split(theme_id, part=part, by=_who(by)))


@app.command("rename")
def rename(theme_id: str = _ID, title: str = typer.Argument(help="The new title."), by: str | None = _BY) -> None:
    """Give a title that runs keep.

    Example: nlp-service themes rename thm_a 说明书看不懂
    """
    _decide(lambda steer: steer.rename(theme_id, title=title, by=_who(by)))


@app.command("dismiss")
def dismiss(
    theme_id: str = _ID, why: str | None = typer.Option(None, "--why", help="The reason."), by: str | None = _BY
) -> None:
    """Silence a theme.

    Example: nlp-service themes dismiss thm_a --why "known and accepted"
    """
    _decide(lambda steer: steer.dismiss(theme_id, by=_who(by), why=why))


@app.command("restore")
def restore(theme_id: str = _ID, by: str | None = _BY) -> None:
    """Undo a dismissal or a merge.

    Example: nlp-service themes restore thm_a
    """
    _decide(lambda steer: steer.restore(theme_id, by=_who(by)))


@app.command("acknowledge")
def acknowledge(theme_id: str = _ID, by: str | None = _BY) -> None:
    """Take a theme on.

    Example: nlp-service themes acknowledge thm_a --by wang
    """
    _decide(lambda steer: steer.acknowledge(theme_id, by=_who(by)))


@app.command("fix")
def fix(
    theme_id: str = _ID,
    what: str | None = typer.Option(None, "--what", help="What was done."),
    at: str | None = typer.Option(None, "--at", help="As of when, ISO 8601 with time zone; now by default."),
    by: str | None = _BY,
) -> None:
    """Say that the cause is removed; later runs say whether it worked.

    Example: nlp-service themes fix thm_a --what "new manual" --at 2026-11-20T00:00:00+08:00
    """
    moment = _moment(at)
    _decide(lambda steer: steer.fix(theme_id, by=_who(by), at=moment, what=what))


@app.command("pin")
def pin(theme_id: str = _ID, off: bool = typer.Option(False, "--off", help="Take the pin off.")) -> None:
    """Keep a theme in sight even when it is quiet.

    Example: nlp-service themes pin thm_a
    """
    _decide(lambda steer: steer.pin(theme_id, pinned=not off))


@app.command("report")
def report(
    department: str | None = typer.Option(None, "--department", help="Only themes that concern it."),
    form: Form = typer.Option(Form.MARKDOWN, "--format", help="json, markdown or html."),
    language: str = typer.Option("zh", "--language", help="zh or en."),
    output: Path | None = typer.Option(None, "--output", help="File to write; standard output by default."),
) -> None:
    """Print the digest of the newest window.

    Example: nlp-service themes report --department product_team --format html --output week.html
    """
    with _opened() as opened:
        themes = opened.themes.themes()
        at = now()
        windows = [theme.measure.window for theme in themes if theme.measure]
        window = max(windows, key=lambda entry: entry.end, default=Window(start=at - timedelta(days=7), end=at))
        timelines = {theme.id: opened.themes.timeline(theme.id, limit=12) for theme in themes}
    data = digest(themes, timelines, window, department=department)
    if form is Form.JSON:
        text = orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() + "\n"
    else:
        text = (as_html if form is Form.HTML else as_markdown)(data, language=language)
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")


def print_themes(themes: list[Theme] | tuple[Theme, ...]) -> None:
    """Print themes as a table."""
    table = Table(box=None)
    for column in ("theme", "title", "state", "messages", "customers", "share", "growth", "departments"):
        table.add_column(column, no_wrap=column in ("theme", "title", "share"))
    for theme in themes:
        seen = theme.measure
        share = f"{seen.share.value:.1%} ({seen.share.low:.1%}-{seen.share.high:.1%})" if seen else ""
        growth = f"x{seen.growth.ratio.value:.1f}{' ↑' if seen.growth.rising else ''}" if seen and seen.growth else ""
        numbers = (str(seen.counted), str(seen.customers)) if seen else ("", "")
        table.add_row(theme.id, theme.title, theme.state, *numbers, share, growth, ", ".join(theme.departments))
    Console(width=160 if not sys.stdout.isatty() else None).print(table)


def _decide(decision: Callable[[Steer], Theme]) -> None:
    with _opened() as opened:
        theme = decision(opened.steer)
    print_themes([theme])


def _wanted(theme: Theme, state: str | None, department: str | None, *, every: bool) -> bool:
    if department is not None and department not in theme.departments:
        return False
    if state is not None:
        return theme.state == state
    hidden = theme.merged_into is not None or theme.state in ("dismissed", "quiet")
    return every or theme.pinned or not hidden


def _who(by: str | None) -> str:
    return by or os.environ.get("USER") or getpass.getuser()


def _moment(at: str | None) -> datetime | None:
    if at is None:
        return None
    try:
        moment = datetime.fromisoformat(at)
    except ValueError as exc:
        raise InvalidMessage(f"--at {at!r} is not ISO 8601: write 2026-11-20T00:00:00+08:00") from exc
    if moment.tzinfo is None:
        raise InvalidMessage(f"--at {at!r} has no time zone: write {at}+08:00")
    return moment


def _dump(data: object) -> None:
    sys.stdout.write(orjson.dumps(data, option=orjson.OPT_INDENT_2).decode() + "\n")
