"""`nlp-service corrections`: people's labels for stored messages."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.corrections import Corrections
from nlp_service.adapters.db.themes import Themes
from nlp_service.bootstrap.parts import mask_text, now, open_database, open_messages, open_taxonomy
from nlp_service.cli.who import BY
from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.flows.correct import Correct
from nlp_service.settings import Settings
from nlp_service.wire.corrections import CorrectionOut, reviewer_of

app = typer.Typer(help="People's labels for stored messages.", no_args_is_help=True)


@contextmanager
def _opened() -> Iterator[tuple[Corrections, Correct]]:
    settings = Settings()
    taxonomy = open_taxonomy(settings)
    with open_database(settings) as database:
        corrections = Corrections(database)
        messages = open_messages(settings, database)
        correct = Correct(
            messages=messages,
            corrections=corrections,
            taxonomy=lambda: taxonomy,
            find_theme=Themes(database).get,
            mask=mask_text,
            now=now,
        )
        yield corrections, correct


@app.command("list")
def list_(
    message: str | None = typer.Option(None, "--message", help="Only of this message."),
    by: str | None = typer.Option(None, "--by", help="Only of this person."),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="At most this many."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """List corrections, newest first.

    Example: nlp-service corrections list --by "key k7m2p9x4w8zq"
    """
    with _opened() as (corrections, _):
        found = corrections.page(message_id=message, by=by, limit=limit)
    if as_json:
        rows = [CorrectionOut.of(made).model_dump(mode="json") for made in found]
        sys.stdout.write(orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode() + "\n")
        return
    table = Table("id", "message", "by", "at", "labels", "why")
    for made in found:
        labels = ", ".join(f"{name} {_shown(label)}" for name, label in made.labels.given().items())
        why = f"resolves: {made.why}" if made.resolves else made.why
        table.add_row(str(made.id), made.message_id, made.by, made.at.isoformat(timespec="minutes"), labels, why)
    Console(width=160 if not sys.stdout.isatty() else None).print(table)


@app.command("add")
def add(
    message_id: str = typer.Argument(help="Id of a stored message."),
    intent: str | None = typer.Option(None, "--intent", help="Intent id."),
    sentiment: str | None = typer.Option(None, "--sentiment", help="very_negative to very_positive."),
    emotion: str | None = typer.Option(None, "--emotion", help="Emotion id."),
    flag: list[str] = typer.Option([], "--flag", help="A flag that applies; repeat for several."),
    no_flags: bool = typer.Option(False, "--no-flags", help="Say that no flag applies."),
    priority: str | None = typer.Option(None, "--priority", help="Priority level."),
    theme: str | None = typer.Option(None, "--theme", help="Id of the theme it belongs to, or `none`."),
    why: str = typer.Option("", "--why", help="The reason."),
    reviewer: str | None = typer.Option(None, "--reviewer", help="Who says so; `command line` alone by default."),
    resolves: bool = typer.Option(False, "--resolves", help="Decide a disagreement of others."),
) -> None:
    """Say what a message is; what you leave out is not judged.

    Example: nlp-service corrections add hub-1 --intent delivery_delay --reviewer li.na
    """
    labels = CorrectedLabels(
        intent=intent,
        sentiment=sentiment,
        emotion=emotion,
        flags=tuple(flag) if flag or no_flags else None,
        priority=priority,
        theme=theme,
    )
    with _opened() as (_, correct):
        made, settled = correct(message_id, labels, by=reviewer_of(BY, reviewer), why=why, resolves=resolves)
    states = ", ".join(f"{name}: {outcome.state}" for name, outcome in settled.fields.items())
    Console().print(f"correction {made.id} of message {message_id} is kept ({states})", markup=False, highlight=False)


def _shown(label: str | tuple[str, ...]) -> str:
    return label if isinstance(label, str) else "+".join(label) or "none"
