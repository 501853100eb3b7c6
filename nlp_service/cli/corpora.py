"""`nlp-service corpora`: labelled messages as files: checked, fixed, and made of what people corrected."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson
import typer
from rich.console import Console
from rich.table import Table

from nlp_service.adapters.db.corrections import Corrections
from nlp_service.bootstrap.parts import load_model, open_database, open_messages, open_taxonomy
from nlp_service.contract.bundle import read_accepted, read_manifest
from nlp_service.contract.corpus import read_records, write_records
from nlp_service.core.corpus_check.fix import fix as fixed_copy
from nlp_service.core.corpus_check.rendering import TITLES, as_data, as_html, summary
from nlp_service.core.corpus_check.values import KINDS, Report
from nlp_service.errors import CorpusError
from nlp_service.flows.check_corpus import CheckCorpus
from nlp_service.flows.export_corrections import ExportCorrections
from nlp_service.settings import Settings

app = typer.Typer(help="Corpora: labelled messages as files.", no_args_is_help=True)
FOUND_ERRORS = 1  # exit code of a check that found errors


@app.command("check")
def check(
    file: Path = typer.Argument(help="Corpus (JSONL).", exists=True, dir_okay=False),
    evaluation: list[Path] = typer.Option(
        [], "--evaluation", "-e", exists=True, dir_okay=False, help="Evaluation set that must stay unseen; repeat."
    ),
    html: Path | None = typer.Option(None, "--html", help="Write the whole report as a page."),
    fix: Path | None = typer.Option(None, "--fix", help="Write a fixed copy; the corpus itself is left alone."),
    drop_suspects: bool = typer.Option(False, "--drop-suspects", help="In the copy, take likely wrong labels away."),
    model: bool = typer.Option(True, help="Look for likely wrong labels with the accepted model (1,000 a second)."),
    as_json: bool = typer.Option(False, "--json", help="Print the report as JSON."),
    show: int = typer.Option(5, "--show", min=0, help="Findings of each kind to print."),
) -> None:
    """Check a corpus: form, labels, copies, conflicts, leaks, balance, likely wrong labels, personal data.

    Exits with 1 where it found errors, with 0 where at most warnings.

    Example: nlp-service corpora check new.jsonl -e eval/dev.jsonl --html report.html --fix fixed.jsonl
    """
    settings = Settings()
    folder = read_accepted(settings.models)
    checker = CheckCorpus(
        taxonomy=open_taxonomy(settings),
        languages=read_manifest(folder).languages,
        model=load_model(settings) if model else None,
    )
    held = {str(path): list(read_records(path)) for path in evaluation}
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as exc:
        raise CorpusError(f"{file} is not UTF-8: byte {exc.start} cannot be read; convert it first") from exc
    report = checker(lines, name=file.name, evaluation=held)
    if html is not None:
        html.write_text(as_html(report), encoding="utf-8")
    if as_json:
        sys.stdout.write(orjson.dumps(as_data(report), option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print(report, show)
    if fix is not None:
        _write_fixed(report, fix, drop_suspects=drop_suspects)
    if report.errors:
        raise typer.Exit(FOUND_ERRORS)


@app.command("export-corrections")
def export_corrections(
    output: Path = typer.Option(..., "--output", "-o", help="File to write (JSONL, corpus format)."),
    licence: str = typer.Option("", "--licence", help="Licence to note on every record."),
) -> None:
    """Make a corpus of what people said: settled labels, masked texts; disputed fields are left out.

    Example: nlp-service corpora export-corrections --output corrections.jsonl
    """
    settings = Settings()
    with open_database(settings) as database:
        export = ExportCorrections(
            messages=open_messages(settings, database),
            corrections=Corrections(database),
            taxonomy=open_taxonomy(settings),
            licence=licence,
        )
        part = output.with_name(output.name + ".part")
        count = write_records(export(), part)
        part.replace(output)
    Console(stderr=True).print(f"{count} records written to {output}", highlight=False, markup=False)


def _print(report: Report, show: int) -> None:
    console = Console(width=160 if not sys.stdout.isatty() else None)
    console.print(f"{report.name}: {summary(report)}", highlight=False, markup=False)
    for kind, is_error in KINDS.items():
        found = report.of(kind)
        if not found:
            continue
        style = "red" if is_error else "yellow"
        console.print(f"\n{TITLES[kind]}: {len(found)}", style=style, highlight=False, markup=False)
        for finding in found[:show]:
            console.print(f"  line {finding.line}: {finding.detail}", highlight=False, markup=False)
        if 0 < show < len(found):
            console.print(f"  and {len(found) - show} more", highlight=False)
    console.print()
    table = Table("head", "labels", "records", "most", "fewest")
    for head, counted in report.balance.items():
        names = list(counted)
        fewest = ", ".join(f"{name} {counted[name]}" for name in reversed(names[-3:]))
        most = f"{names[0]} {counted[names[0]]}"
        table.add_row(head, str(sum(n > 0 for n in counted.values())), str(sum(counted.values())), most, fewest)
    console.print(table)
    for reason in report.skipped:
        console.print(f"not checked: {reason}", style="dim", highlight=False, markup=False)


def _write_fixed(report: Report, target: Path, *, drop_suspects: bool) -> None:
    records, changes = fixed_copy(report, drop_suspects=drop_suspects)
    part = target.with_name(target.name + ".part")
    write_records(records, part)
    part.replace(target)
    console = Console(stderr=True)
    console.print(f"{len(records)} records written to {target}, {len(changes)} changes", highlight=False, markup=False)
    for change in changes[:20]:
        console.print(f"  line {change.line} {change.action}: {change.why}", highlight=False, markup=False)
    if len(changes) > 20:
        console.print(f"  and {len(changes) - 20} more", highlight=False)
