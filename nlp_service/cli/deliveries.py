"""`nlp-service deliveries`: what was sent, every attempt, and dead letters."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.delivery_log import DeliveryRecords
from nlp_service.bootstrap.parts import now, open_database
from nlp_service.cli.who import BY
from nlp_service.core.delivery.events import encode
from nlp_service.core.delivery.records import DELIVERY_STATES
from nlp_service.errors import InputError
from nlp_service.settings import Settings

app = typer.Typer(help="See what was sent, every attempt, and send dead letters again.", no_args_is_help=True)


@app.command("list")
def list_(
    state: str | None = typer.Option(None, "--state", help=f"One of {', '.join(DELIVERY_STATES)}."),
    limit: int = typer.Option(50, "--limit", min=1, max=1000, help="Deliveries at most."),
) -> None:
    """List deliveries, newest first; `--state dead` are the dead letters.

    Example: nlp-service deliveries list --state dead
    """
    if state is not None and state not in DELIVERY_STATES:
        raise InputError(f"state {state!r} is unknown: use one of {', '.join(DELIVERY_STATES)}")
    with _log() as log:
        page = log.page(state=state, limit=limit)
    table = Table("id", "subscription", "form", "state", "failures", "created", "reason")
    for entry in page.deliveries:
        created = entry.created_at.isoformat(timespec="seconds")
        table.add_row(entry.id, entry.subscription, entry.form, entry.state, str(entry.failures), created, entry.reason)
    Console().print(table)


@app.command("show")
def show(delivery_id: str = typer.Argument(help="The delivery's id.")) -> None:
    """Show a delivery with its events and every attempt, as JSON.

    Example: nlp-service deliveries show dlv_4f0c…
    """
    with _log() as log:
        found = log.get(delivery_id)
    document = {
        **vars(found),
        "events": [encode(event) for event in found.events],
        "attempts": [vars(attempt) for attempt in found.attempts],
    }
    typer.echo(json.dumps(document, ensure_ascii=False, indent=2, default=str))


@app.command("resend")
def resend(
    delivery_id: str | None = typer.Argument(None, help="The dead delivery's id."),
    every: bool = typer.Option(False, "--all", help="Every dead delivery."),
) -> None:
    """Send dead letters again, under the same ids.

    Example: nlp-service deliveries resend --all
    """
    with _log() as log:
        if delivery_id is not None:
            log.resend(delivery_id, by=BY, at=now())
            count = 1
        elif every:
            count = log.resend_dead(subscription_id=None, by=BY, at=now())
        else:
            raise InputError("nothing to send again: give a delivery's id or --all")
    Console(stderr=True).print(f"{count} will be sent again")


@contextmanager
def _log() -> Iterator[DeliveryRecords]:
    with open_database(Settings()) as database:
        yield DeliveryRecords(database)
