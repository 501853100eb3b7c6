"""`nlp-service keys`: API keys, and the encryption key at rest."""

from __future__ import annotations

from datetime import timedelta

import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.rotation import rotate as rotate_sealed
from nlp_service.bootstrap.parts import now, open_database, open_sealer
from nlp_service.core.access import ApiKey, Scope, parse_scopes
from nlp_service.errors import ConfigurationError
from nlp_service.settings import Settings

app = typer.Typer(help="Make, list, rotate and revoke API keys.", no_args_is_help=True)
BY = "command line"


@app.command("create")
def create(
    name: str = typer.Option(..., "--name", help="What the key is for, e.g. the hub that uses it."),
    scope: list[str] = typer.Option(..., "--scope", "-s", help=f"One of {', '.join(Scope)}; repeat for several."),
    department: list[str] = typer.Option([], "--department", "-d", help="Limit to a department; repeat for several."),
    days: int | None = typer.Option(None, "--days", min=1, help="Days until it expires; never by default."),
    rate: int | None = typer.Option(None, "--rate", min=0, help="Requests a minute of each process; 0: no limit."),
) -> None:
    """Make a key and print its token, which is shown this once.

    Example: nlp-service keys create --name hub --scope classify --days 365
    """
    expires_at = None if days is None else now() + timedelta(days=days)
    with open_database(Settings()) as database:
        key, token = Keys(database).create(
            name=name,
            scopes=parse_scopes(scope),
            departments=department or None,
            expires_at=expires_at,
            per_minute=rate,
            by=BY,
        )
    _show(key, token)


@app.command("list")
def list_() -> None:
    """List the keys; their secrets are stored nowhere.

    Example: nlp-service keys list
    """
    with open_database(Settings()) as database:
        keys = Keys(database).all()
    table = Table("id", "name", "scopes", "departments", "created", "state")
    at = now()
    for key in keys:
        departments = "all" if key.departments is None else ", ".join(sorted(key.departments))
        created = key.created_at.isoformat(timespec="minutes")
        table.add_row(key.id, key.name, ", ".join(sorted(key.scopes)), departments, created, key.refusal(at) or "open")
    Console().print(table)


@app.command("rotate")
def rotate(
    key_id: str = typer.Argument(help="The key's id, as listed."),
    overlap_hours: int = typer.Option(24, "--overlap-hours", min=0, help="Hours that the old token still opens."),
) -> None:
    """Make a new token with the same rights and close the old one after a while.

    Example: nlp-service keys rotate k7m2p9x4w8zq --overlap-hours 24
    """
    with open_database(Settings()) as database:
        key, token = Keys(database).rotate(key_id, by=BY, overlap=timedelta(hours=overlap_hours))
    _show(key, token)


@app.command("revoke")
def revoke(key_id: str = typer.Argument(help="The key's id, as listed.")) -> None:
    """Close a key now; running processes notice within seconds.

    Example: nlp-service keys revoke k7m2p9x4w8zq
    """
    with open_database(Settings()) as database:
        Keys(database).revoke(key_id, by=BY)
    Console().print(f"key {key_id} is revoked")


@app.command("rotate-encryption")
def rotate_encryption() -> None:
    """Seal everything again under the first of the encryption keys; the others can be dropped afterwards.

    Example: NLP_SERVICE_ENCRYPTION_KEY=NEW,OLD nlp-service keys rotate-encryption
    """
    settings = Settings()
    sealer = open_sealer(settings)
    if sealer is None:
        raise ConfigurationError("no encryption key is set: set NLP_SERVICE_ENCRYPTION_KEY to the new key and the old")
    with open_database(settings) as database:
        Console().print(f"{rotate_sealed(database, sealer)} values are sealed under the newest key")


def _show(key: ApiKey, token: str) -> None:
    until = "never expires" if key.expires_at is None else f"expires {key.expires_at.isoformat(timespec='minutes')}"
    Console(stderr=True).print(f"key {key.id} ({key.name}) opens {', '.join(sorted(key.scopes))}; {until}")
    Console(stderr=True).print("The token is shown this once; send it as `Authorization: Bearer <token>`:")
    typer.echo(token)
