"""The commands and where each lives; a module is imported when its command is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

# name -> (module, attribute); an attribute that is a Typer holds commands of its own
COMMANDS: Mapping[str, tuple[str, str]] = {
    "serve": ("serve", "serve"),
    "worker": ("worker", "worker"),
    "classify": ("classify", "classify"),
    "relabel": ("relabel", "relabel"),
    "themes": ("themes", "app"),
    "subscriptions": ("subscriptions", "app"),
    "deliveries": ("deliveries", "app"),
    "models": ("models", "app"),
    "corrections": ("corrections", "app"),
    "train": ("train", "train"),
    "intents": ("intents", "app"),
    "drift": ("drift", "drift"),
    "corpora": ("corpora", "app"),
    "policy": ("policy", "app"),
    "keys": ("keys", "app"),
    "db": ("db", "app"),
    "doctor": ("doctor", "doctor"),
    "demo": ("demo", "demo"),
}


class Commands(TyperGroup):
    """Imports the module of the command that is run: `classify` need not wait for what `themes` needs."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        module, attribute = COMMANDS[cmd_name]
        found: Any = getattr(import_module(f"nlp_service.cli.{module}"), attribute)
        if not isinstance(found, typer.Typer):
            single = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
            single.command(cmd_name)(found)
            found = single
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command
