"""`nlp-service policy`: check a priority and routing policy and see what it would change."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.messages import Messages
from nlp_service.bootstrap.parts import mask_text, now, open_database, open_taxonomy
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.calibration import read_calibration
from nlp_service.core.policy import default_policy, load_policy
from nlp_service.core.replay import Forecast, replay
from nlp_service.core.stored import Window
from nlp_service.settings import Settings

app = typer.Typer(help="Check a policy, and see what it would change.", no_args_is_help=True)


@app.command("show")
def show() -> None:
    """Print the shipped policy, a starting point for your own.

    Example: nlp-service policy show > policy.yaml
    """
    sys.stdout.write(default_policy(open_taxonomy(Settings())).text)


@app.command("validate")
def validate(file: Path = typer.Argument(help="Policy file (YAML).", exists=True, dir_okay=False)) -> None:
    """Check a policy file; the first fault is named with its line.

    Example: nlp-service policy validate policy.yaml
    """
    policy = load_policy(file.read_text(encoding="utf-8"), open_taxonomy(Settings()), where=str(file))
    Console().print(f"{file}: {len(policy.priority)} priority rules, {len(policy.routing)} routing rules, no fault")


@app.command("preview")
def preview(
    file: Path = typer.Argument(help="Policy file (YAML).", exists=True, dir_okay=False),
    days: int = typer.Option(28, "--days", min=1, help="Days of stored history to replay."),
    as_json: bool = typer.Option(False, "--json", help="Print the whole forecast as JSON."),
) -> None:
    """Replay stored history under a policy and say how many messages would move.

    Example: nlp-service policy preview policy.yaml --days 28
    """
    settings = Settings()
    taxonomy = open_taxonomy(settings)
    policy = load_policy(file.read_text(encoding="utf-8"), taxonomy, where=str(file))
    calibration = read_calibration(read_accepted(settings.models) / "calibration.json")
    at = now()
    with open_database(settings) as database:
        stored = Messages(database, mask=mask_text).stored(Window(start=at - timedelta(days=days), end=at))
        forecast = replay(stored, policy, taxonomy, calibration)
    if as_json:
        sys.stdout.write(orjson.dumps(forecast.as_data(), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(forecast, days)


def _print(forecast: Forecast, days: int) -> None:
    console = Console()
    data = forecast.as_data()
    human = data["needs_human"]
    assert isinstance(human, dict)
    console.print(f"{forecast.messages} messages of {days} days, {forecast.moved} would move")
    console.print(f"to a person: {human['before']} before, {human['after']} after")
    for name in ("priority", "department"):
        table = Table(name, "before", "after", "moves to")
        rows = data[name]
        assert isinstance(rows, list)
        for row in rows:
            moves = ", ".join(f"{target} {count}" for target, count in row["moves_to"].items())
            table.add_row(row["name"], str(row["before"]), str(row["after"]), moves)
        console.print(table)
