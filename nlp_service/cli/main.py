"""The command `nlp-service`: every flow of the service from a shell."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError
from rich.console import Console

from nlp_service import __version__
from nlp_service.cli.commands import Commands
from nlp_service.cli.exits import exit_code
from nlp_service.errors import NlpServiceError

app = typer.Typer(
    name="nlp-service",
    cls=Commands,
    help="Understands what customers say: labels, themes and their delivery.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    _version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def run() -> None:
    """Run the command line; an expected error is one line on standard error and an exit code of its own."""
    try:
        app()
    except NlpServiceError as exc:
        Console(stderr=True).print(f"error: {exc}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(exit_code(exc))
    except ValidationError as exc:
        for item in exc.errors():
            name = "NLP_SERVICE_" + "_".join(str(part).upper() for part in item["loc"])
            Console(stderr=True).print(f"error: {name}: {item['msg']}", style="red", markup=False, highlight=False)
        sys.exit(2)


if __name__ == "__main__":
    run()
