"""`nlp-service drift`: what the newest weeks look like beside what the model was trained on."""

from __future__ import annotations

import sys

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nlp_service.bootstrap.learning import open_drift
from nlp_service.bootstrap.parts import open_bundle_facts, open_database
from nlp_service.core.drift import DriftReport, as_data
from nlp_service.settings import Settings


def drift(
    weeks: int = typer.Option(12, "--weeks", min=1, max=52, help="At most so many."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON."),
) -> None:
    """Measure label shares, confidence, embedding and languages of the newest weeks against the reference.

    Example: nlp-service drift --weeks 8
    """
    settings = Settings()
    with open_database(settings) as database:
        report = open_drift(settings, database, lambda: open_bundle_facts(settings))(weeks=weeks)
    if as_json:
        sys.stdout.buffer.write(orjson.dumps(as_data(report), option=orjson.OPT_INDENT_2) + b"\n")
        return
    _show(report)


def _show(report: DriftReport) -> None:
    console = Console()
    model = f"{report.model.name} {report.model.version}"
    console.print(f"{model} against {report.reference.source}: {report.state}", highlight=False)
    names = ("labels", "languages", "confidence", "embedding")
    table = Table("week from", "messages", "state", *names)
    for week in report.weeks:
        found = {measure.name: measure for measure in week.measures}
        values = [f"{found[name].value:.3f} {found[name].state}" if name in found else "–" for name in names]
        table.add_row(week.start.date().isoformat(), str(week.messages), week.state, *values)
    console.print(table)
    for week in report.weeks[-1:]:
        for measure in week.measures:
            console.print(f"{measure.name}: {measure.because}", highlight=False, markup=False)
    if report.missing:
        console.print(f"the reference has no {', '.join(report.missing)}", highlight=False)
