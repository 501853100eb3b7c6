"""`nlp-service db`: the database's schema."""

from __future__ import annotations

import typer
from rich.console import Console

from nlp_service.adapters.db.migrations import run as migrations
from nlp_service.settings import Settings

app = typer.Typer(help="Migrate the database and show its revision.", no_args_is_help=True)


@app.command("migrate")
def migrate() -> None:
    """Bring the database to the schema of this release; safe while replicas start together.

    Example: NLP_SERVICE_DATABASE=postgresql://nlp@localhost/nlp nlp-service db migrate
    """
    Console().print(f"database is at revision {migrations.migrate(Settings().database)}")


@app.command("current")
def current() -> None:
    """Print the database's revision and the one of this release.

    Example: nlp-service db current
    """
    found = migrations.current(Settings().database) or "none"
    Console().print(f"database {found}, release {migrations.head()}")
