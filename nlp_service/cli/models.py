"""`nlp-service models`: versions, what differs between them, and which one serves."""

from __future__ import annotations

from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.shadows import Shadows
from nlp_service.adapters.registry import Promotion, Registry, Version
from nlp_service.bootstrap.learning import start_shadow
from nlp_service.bootstrap.parts import now, open_database
from nlp_service.cli.gate import gate
from nlp_service.cli.who import BY
from nlp_service.core.audit import AuditEntry
from nlp_service.core.shadow import compare
from nlp_service.settings import Settings

app = typer.Typer(help="List model versions, compare, promote and roll back.", no_args_is_help=True)
app.command("gate")(gate)
MOVES = 8  # shown of each head


def _registry() -> Registry:
    return Registry(Settings().models)


@app.command("list")
def list_() -> None:
    """List the versions; the accepted one is marked.

    Example: nlp-service models list
    """
    table = Table("", "version", "made", "languages", "intent", "sentiment", "priority")
    for version in _registry().versions():
        mark = "*" if version.accepted else ""
        made, languages = version.manifest.created_at[:10], str(len(version.manifest.languages))
        figures = [_figure(version.metrics, name) for name in ("intent accuracy", "sentiment exact", "priority")]
        table.add_row(mark, version.id, made, languages, *figures)
    Console().print(table)


@app.command("show")
def show(version: str = typer.Argument(help="Version, e.g. 1.0.0.")) -> None:
    """Print a version's lineage and its card.

    Example: nlp-service models show 1.0.0
    """
    found = _registry().find(version)
    console = Console()
    console.print_json(data={"id": found.id, "accepted": found.accepted, "lineage": dict(found.manifest.lineage)})
    console.print((found.folder / "card.md").read_text(encoding="utf-8"), markup=False, highlight=False)


@app.command("diff")
def diff(
    one: str = typer.Argument(help="A version."), other: str = typer.Argument(help="The version beside it.")
) -> None:
    """Print the figures and files in which two versions differ.

    Example: nlp-service models diff 1.0.0 1.1.0
    """
    registry = _registry()
    left, right = registry.find(one), registry.find(other)
    table = Table("", left.id, right.id)
    for name, before, after in differences(left, right):
        table.add_row(name, before, after)
    Console().print(table)


@app.command("promote")
def promote(
    version: str = typer.Argument(help="Version to serve."),
    why: str = typer.Option("", "--why", help="Reason, kept in the history."),
    force: bool = typer.Option(False, "--force", help="Although the gate did not pass it; needs --why."),
) -> None:
    """Make a version the accepted one; running services swap to it without dropping a request.

    A version that never served needs a trial that says promote: `nlp-service models gate`.

    Example: nlp-service models promote 1.1.0 --why "better on billing"
    """
    settings = Settings()
    with open_database(settings) as database:
        promotion = Registry(settings.models).promote(version, by=BY, why=why, at=now(), force=force)
        detail = {"before": promotion.before, "why": why, "forced": promotion.forced}
        entry = AuditEntry(at=now(), actor=BY, action="model.promote", subject=promotion.version, detail=detail)
        AuditLog(database).record(entry).result()
    _print(promotion)


@app.command("shadow")
def shadow(
    version: str = typer.Argument(help="Version to try, or off."),
    share: float = typer.Option(0.1, "--share", help="Of the messages, 0 to 1; each costs a second pass."),
) -> None:
    """Let a version label a share of live messages too; its answers are stored and compared, never sent.

    Example: nlp-service models shadow 1.1.0 --share 0.1
    """
    settings = Settings()
    with open_database(settings) as database:
        if version == "off":
            Shadows(database).stop(by=BY, at=now())
            Console().print("the shadow is off; what it said stays")
            return
        started = start_shadow(settings, database, version, share, by=BY)
    Console().print(f"{started.version} sees {started.share:.0%} of the messages", highlight=False)


@app.command("shadow-report")
def shadow_report(version: str | None = typer.Argument(None, help="Version; the newest shadow by default.")) -> None:
    """Compare what was sent with what a shadow said.

    Example: nlp-service models shadow-report
    """
    with open_database(Settings()) as database:
        newest = Shadows(database).newest(version)
        found = compare(Shadows(database).answers(newest))
    console = Console()
    console.print(f"{newest.version}: {found['messages']} messages", highlight=False)
    table = Table("head", "equal answers")
    for head, value in found["agreement"].items():
        table.add_row(head, f"{value:.1%}")
    console.print(table)
    moves = Table("head", "sent", "shadow", "messages")
    for head, rows in found["moves"].items():
        for row in rows[:MOVES]:
            moves.add_row(head, row["sent"], row["shadow"], str(row["messages"]))
    console.print(moves)


@app.command("rollback")
def rollback() -> None:
    """Go back to the version before the latest promotion.

    Example: nlp-service models rollback
    """
    _print(_registry().rollback(by=BY, at=now()))


def differences(left: Version, right: Version) -> list[tuple[str, str, str]]:
    """Return (name, value of the one, value of the other) for figures and files that differ."""
    sides = [{**_flat(side.metrics), **dict(side.manifest.files)} for side in (left, right)]
    names = sorted(set(sides[0]) | set(sides[1]))
    rows = [(name, *(str(side.get(name, "–"))[:12] for side in sides)) for name in names]
    return [(name, before, after) for name, before, after in rows if before != after]


def _flat(values: Any, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = round(value, 4) if isinstance(value, float) else value
    return found


def _figure(metrics: Any, name: str) -> str:
    value = metrics.get(name)
    return f"{value:.3f}" if isinstance(value, float) else "–"


def _print(promotion: Promotion) -> None:
    Console().print(f"{promotion.version} is accepted (before: {promotion.before or 'none'})", highlight=False)
