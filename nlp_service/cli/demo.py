"""`nlp-service demo`: the shipped eight weeks of an appliance maker, mined, told and shown."""

from __future__ import annotations

import sys
import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer
from rich.console import Console

from nlp_service.bootstrap.demo import REPORTED, Run, Told, demo_folder, tell
from nlp_service.bootstrap.parts import open_database
from nlp_service.cli.serve import serve
from nlp_service.core.story import Placed
from nlp_service.core.themes import statistics
from nlp_service.core.themes.splits import sentence
from nlp_service.core.themes.values import Theme
from nlp_service.errors import Conflict
from nlp_service.settings import Settings

OPENED_AFTER = 3.0  # seconds after which the page is asked for
SHOWN = 10
_TOLD_KINDS = ("new", "rising", "fixed", "fix_worked", "fix_failed", "recurred")


def demo(
    data: Path | None = typer.Option(None, "--data", help="Folder to keep the database in; a temporary one else."),
    source: Path | None = typer.Option(None, "--from", help="Folder with the demo's files, where they are elsewhere."),
    models: Path | None = typer.Option(None, "--models", help="Folder with bundles and accepted.json."),
    serving: bool = typer.Option(True, "--serve/--no-serve", help="Serve the page when all is told."),
    opening: bool = typer.Option(False, "--open", help="Open the page in this machine's browser."),
    port: int = typer.Option(8080, "--port", "-p", help="Port of the page; 0 takes a free one."),
    language: str = typer.Option("zh", "--language", help="Of the planted matters' names: zh or en."),
) -> None:
    """Load eight weeks of an invented appliance maker, find what was planted in them, and serve the page.

    Example:
      nlp-service demo --data demo-data --open
    """
    with _kept(data) as folder:
        database = f"sqlite:///{folder / 'demo.db'}"
        given: dict[str, object] = {"database": database, "jobs_folder": folder / "jobs", "port": port}
        settings = Settings(**(given | ({"models": models} if models else {})))  # type: ignore[arg-type]
        progress = Console(stderr=True)
        with open_database(settings) as opened:
            told = tell(settings, opened, demo_folder(source), report=lambda said: progress.print(said, style="dim"))
        for line in lines(told, language):
            sys.stdout.write(line + "\n")
        sys.stdout.flush()
        if serving:
            if opening:
                _open_later(f"http://127.0.0.1:{port}/themes")
            serve(host="127.0.0.1", port=port, workers=1, database=database, models=settings.models)
        elif data is not None:
            sys.stdout.write(f"look at it: nlp-service serve --database {database}\n")


def lines(told: Told, language: str) -> Iterator[str]:
    """Yield what was found, a line each."""
    end = told.runs[-1].end
    yield (
        f"{told.messages} messages from {told.start:%Y-%m-%d} to {end:%Y-%m-%d}; "
        f"in the last {REPORTED.days} days {told.feedback} carried a matter."
    )
    for number, placed in enumerate(told.placed, 1):
        yield ""
        yield f"{number}. {placed.matter.told['en' if language == 'en' else 'zh']}"
        yield from (f"   {line}" for line in _matter(told, placed))
    yield ""
    yield "largest themes of the last fortnight:"
    largest = sorted(told.themes.values(), key=lambda theme: (-_counted(theme), theme.id))
    for theme in largest[:SHOWN]:
        yield f"   {_share(theme)}  {theme.title}  [{theme.state}; {', '.join(theme.departments)}]"


def _matter(told: Told, placed: Placed) -> Iterator[str]:
    planted = statistics.share(placed.planted, told.feedback)
    found = statistics.share(placed.inside + placed.strangers, told.feedback)
    yield f"planted {planted.value:.1%} of the feedback; found {found.value:.1%} ({found.low:.1%} to {found.high:.1%})"
    if not placed.themes:
        yield "no theme of its own was found"
        return
    yield f"{placed.found:.0%} of its messages are in its themes, {placed.pure:.0%} of theirs are its"
    for key in placed.themes:
        theme = told.themes[key]
        if _counted(theme):
            yield f"{_share(theme)}  {theme.title}  [{theme.state}]"
        seen = theme.measure
        if seen is not None and seen.onset is not None:
            yield f"    heard more since {seen.onset:%Y-%m-%d}"
        for split in seen.splits if seen else ():
            yield f"    stands out: {sentence(split)}"
        if theme.fix is not None:
            yield f"    fix: {theme.fix.verdict}, {theme.fix.because}"
    for run in told.runs:
        yield from _events(run, placed.themes)


def _events(run: Run, themes: tuple[str, ...]) -> Iterator[str]:
    for event in run.mining.events:
        if event.theme_id in themes and event.kind in _TOLD_KINDS:
            yield f"{run.end:%Y-%m-%d} {event.kind}: {event.title} ({event.reason})"


def _counted(theme: Theme) -> int:
    return theme.measure.counted if theme.measure else 0


def _share(theme: Theme) -> str:
    if theme.measure is None:
        return "-"
    share = theme.measure.share
    return f"{share.value:5.1%} ({share.low:.1%} to {share.high:.1%})"


@contextmanager
def _kept(data: Path | None) -> Iterator[Path]:
    """Give the folder of the database; a temporary one goes when the demo ends."""
    if data is None:
        with tempfile.TemporaryDirectory(prefix="nlp-demo-") as folder:
            yield Path(folder)
        return
    data.mkdir(parents=True, exist_ok=True)
    if (data / "demo.db").exists():
        raise Conflict(
            f"{data / 'demo.db'} is there already: look at it with "
            f"`nlp-service serve --database sqlite:///{data / 'demo.db'}`, or name another folder"
        )
    yield data


def _open_later(url: str) -> None:
    timer = threading.Timer(OPENED_AFTER, webbrowser.open, args=(url,))
    timer.daemon = True
    timer.start()
