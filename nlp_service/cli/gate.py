"""`nlp-service models gate`: hold a candidate against the accepted model before it may serve."""

from __future__ import annotations

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from nlp_service.bootstrap.learning import try_candidate
from nlp_service.core.trial.values import HOLD, KEPT, REJECT, Verdict
from nlp_service.settings import Settings

EXITS = {HOLD: 10, REJECT: 11}


def gate(
    candidate: str = typer.Argument(help="Version, or folder of a bundle."),
    against: str | None = typer.Option(None, "--against", help="Version or folder; the accepted one by default."),
    eval_: list[Path] = typer.Option(
        ..., "--eval", help="Labelled messages in the corpus format: frozen sets and the new corpus's hold-out."
    ),
    limits: Path | None = typer.Option(None, "--limits", help="How much worse is tolerated (YAML)."),
    robustness: Path | None = typer.Option(None, "--robustness", help="Folder of robustness cases; those shipped."),
    report: Path | None = typer.Option(None, "--report", help="Folder for trial.md, trial.html and trial.json."),
) -> None:
    """Judge a candidate by the service's own labelling: promote, hold or reject, with reasons.

    Ends with 0 for promote, 10 for hold, 11 for reject. `models promote` asks for a passed trial.

    Example: nlp-service models gate 1.1.0 --eval corpora/eval.jsonl --eval holdout.jsonl --report trial
    """
    tell = Console(stderr=True)
    tried = try_candidate(
        Settings(),
        candidate,
        sets=eval_,
        against=against,
        limits=limits,
        robustness=robustness,
        say=lambda what: tell.print(what, highlight=False),
    )
    if report is not None:
        report.mkdir(parents=True, exist_ok=True)
        (report / "trial.md").write_text(tried.markdown, encoding="utf-8")
        (report / "trial.html").write_text(tried.html, encoding="utf-8")
        (report / "trial.json").write_text(json.dumps(tried.data, ensure_ascii=False, indent=1), encoding="utf-8")
    _show(tried.verdict)
    raise typer.Exit(EXITS.get(tried.verdict.decision, 0))


def _show(verdict: Verdict) -> None:
    table = Table("kind", "name", "set", "accepted", "candidate", "change", "95% interval", "outcome")
    for check in verdict.checks:
        if check.outcome == KEPT and check.kind not in ("head", "calibration", "promise", "cost"):
            continue
        interval = "" if check.kind == "cost" else f"{check.low:+.3f} to {check.high:+.3f}"
        values = (f"{check.before:.3f}", f"{check.after:.3f}", f"{check.change:+.3f}", interval)
        table.add_row(check.kind, check.name, check.set, *values, check.outcome)
    console = Console()
    console.print(table)
    console.print(f"verdict: {verdict.decision}", highlight=False)
    for reason in verdict.reasons:
        console.print(f"- {reason}", highlight=False, markup=False)
