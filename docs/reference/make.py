"""Write the reference pages that the code itself knows: command line, settings and HTTP API.

python docs/reference/make.py            writes cli.md, settings.md and api.md beside this file
python docs/reference/make.py --check    says which of them is out of date
"""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic_core import PydanticUndefined

from nlp_service.cli.main import app
from nlp_service.settings import Settings
from nlp_service.web.app import create_app

HERE = Path(__file__).parent
MADE = "<!-- Made by docs/reference/make.py; change the code, then run it. -->\n"


def cli() -> str:
    root: Any = typer.main.get_command(app)
    context: Any = root.make_context("nlp-service", [], resilient_parsing=True)
    lines = ["# Command line · 命令行", MADE, "`nlp-service COMMAND --help` shows the same in the terminal.", ""]
    for name in root.list_commands(context):
        lines += _command(root.get_command(context, name), f"nlp-service {name}", level=2)
    return "\n".join(lines).rstrip() + "\n"


def _command(command: Any, called: str, *, level: int) -> Iterator[str]:
    yield f"{'#' * level} {called}"
    yield ""
    yield from _text(command.help or "")
    children: dict[str, Any] = getattr(command, "commands", {})
    options = [param for param in command.params if param.name not in ("help", "install_completion", "show_completion")]
    if options and not children:
        yield "| option | meaning | default |"
        yield "|---|---|---|"
        yield from (_option(param) for param in options)
        yield ""
    for name, child in children.items():
        yield from _command(child, f"{called} {name}", level=3)


def _text(text: str) -> Iterator[str]:
    """Yield a docstring; what follows `Example:` is code."""
    said, mark, example = inspect.cleandoc(text).partition("Example")
    yield said.strip()
    yield ""
    if mark:
        yield "```"
        yield from (line.strip() for line in example.lstrip("s:").strip().splitlines())
        yield "```"
        yield ""


def _option(param: Any) -> str:
    shown = ", ".join(f"`{name}`" for name in (*param.opts, *param.secondary_opts))
    if param.param_type_name == "argument":
        shown = f"`{param.name.upper()}`"
    meaning = (getattr(param, "help", None) or "").replace("|", "\\|").replace("\n", " ")
    default = param.default() if callable(param.default) else param.default
    needed = "required" if param.required else ""
    empty = default is None or default in ([], (), "") or "Sentinel" in type(default).__name__ or default is ...
    written = needed if empty else f"`{getattr(default, 'value', default)}`"
    return f"| {shown} | {meaning} | {written} |"


def settings() -> str:
    lines = [
        "# Settings · 设置",
        MADE,
        "Each is an environment variable; an empty one counts as not set. Secrets never appear in logs.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = field.default
        shown = "" if default in (None, "", PydanticUndefined) else f"`{_json(default)}`"
        lines.append(
            f"| `NLP_SERVICE_{name.upper()}` | {shown} | {(field.description or '').replace('|', chr(92) + '|')} |"
        )
    return "\n".join(lines) + "\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | bool) else str(value)


def document() -> dict[str, Any]:
    found: dict[str, Any] = create_app(Settings()).openapi()
    return found


def api() -> str:
    lines = [
        "# HTTP API",
        MADE,
        "A running service has the whole document, every field described, at `/openapi.json`. With keys, send",
        "`Authorization: Bearer KEY`. Errors are problem documents (RFC 9457).",
        "",
        "| call | what it does | parameters | body |",
        "|---|---|---|---|",
    ]
    for path, operations in sorted(document()["paths"].items()):
        for method, operation in operations.items():
            said = (operation.get("description") or operation.get("summary") or "").strip().split("\n\n")[0]
            said = " ".join(said.split()).replace("|", "\\|")
            parameters = ", ".join(f"`{entry['name']}`" for entry in operation.get("parameters", []))
            lines.append(f"| `{method.upper()} {path}` | {said} | {parameters} | {_body(operation)} |")
    return "\n".join(lines) + "\n"


def _body(operation: dict[str, Any]) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    names = [_schema(kind.get("schema", {})) or name for name, kind in content.items()]
    return ", ".join(f"`{name}`" for name in names)


def _schema(schema: dict[str, Any]) -> str:
    named = [schema, *schema.get("anyOf", []), *schema.get("oneOf", [])]
    return " or ".join(entry["$ref"].rsplit("/", 1)[1] for entry in named if "$ref" in entry)


def build() -> dict[str, str]:
    """Return the pages by name."""
    return {"cli.md": cli(), "settings.md": settings(), "api.md": api()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for name, text in build().items():
        path = HERE / name
        if not check:
            path.write_text(text, encoding="utf-8")
        elif not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
    if stale:
        sys.exit(f"out of date: {', '.join(stale)}; run python docs/reference/make.py")


if __name__ == "__main__":
    main()
