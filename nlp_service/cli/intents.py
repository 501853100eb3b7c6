"""`nlp-service intents`: add an intent with a few examples, rename and merge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nlp_service.bootstrap.learning import open_intents
from nlp_service.bootstrap.parts import open_database, open_taxonomy
from nlp_service.cli.who import BY
from nlp_service.core.label_moves import MERGE, RENAME
from nlp_service.errors import InputError
from nlp_service.flows.change_intents import ChangeIntents
from nlp_service.settings import Settings

app = typer.Typer(help="Add an intent with a few examples; rename and merge intents.", no_args_is_help=True)
_WHY = typer.Option("", "--why", help="Reason, kept.")


@contextmanager
def _open() -> Iterator[ChangeIntents]:
    settings = Settings()
    taxonomy = open_taxonomy(settings)
    with open_database(settings) as database:
        yield open_intents(database, lambda: taxonomy)


@app.command("add")
def add(file: Path = typer.Argument(help="JSON: id, names, group, department, examples (8 to 50).")) -> None:
    """Add a provisional intent; running services answer with it within seconds.

    Example: nlp-service intents add gift_wrap.json
    """
    try:
        raw = orjson.loads(file.read_bytes())
        wanted = {name: raw[name] for name in ("id", "group", "department", "examples")}
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as exc:
        raise InputError(f"{file} is no intent: {exc}; it needs id, group, department and examples") from exc
    with _open() as intents:
        added = intents.add(
            str(wanted["id"]),
            names=raw.get("names", {}),
            group=str(wanted["group"]),
            department=str(wanted["department"]),
            examples=[str(text) for text in wanted["examples"]],
            by=BY,
        )
    Console().print(f"{added.id} answers from now on, provisional, from {len(added.examples)} examples")


@app.command("list")
def list_() -> None:
    """List provisional intents and moves.

    Example: nlp-service intents list
    """
    table = Table("intent", "what", "since", "by")
    with _open() as intents:
        for intent in intents.store.provisional():
            what = f"provisional, {len(intent.examples)} examples"
            table.add_row(intent.id, what, intent.created_at.date().isoformat(), intent.created_by)
        for move in intents.store.moves():
            table.add_row(move.old, f"{move.kind} to {move.new}", move.moved_at.date().isoformat(), move.moved_by)
    Console().print(table)


@app.command("remove")
def remove(intent: str = typer.Argument(help="A provisional intent.")) -> None:
    """Stop answering with a provisional intent.

    Example: nlp-service intents remove gift_wrap
    """
    with _open() as intents:
        intents.remove(intent, by=BY)
    Console().print(f"{intent} is removed; what was labelled with it stays")


@app.command("rename")
def rename(
    old: str = typer.Argument(help="The intent."), new: str = typer.Argument(help="Its new id."), why: str = _WHY
) -> None:
    """Give an intent another id, in stored labellings too.

    Example: nlp-service intents rename order_placement placing_an_order
    """
    with _open() as intents:
        moved = intents.move(RENAME, old, new, why=why, by=BY)
    Console().print(f"{old} is {new} now, in {moved} stored labellings")


@app.command("merge")
def merge(
    old: str = typer.Argument(help="The intent that goes."),
    new: str = typer.Argument(help="The one it becomes."),
    why: str = _WHY,
) -> None:
    """Put one intent into another, in stored labellings too.

    Example: nlp-service intents merge order_placement order_status
    """
    with _open() as intents:
        moved = intents.move(MERGE, old, new, why=why, by=BY)
    Console().print(f"{old} is {new} now, in {moved} stored labellings")
