"""`nlp-service relabel`: label files of any size; a kill loses nothing."""

from __future__ import annotations

import gc
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import typer
import yaml
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from nlp_service.adapters.files.pairs import write_comparison
from nlp_service.adapters.files.rows import FileRows, spool, standard_input
from nlp_service.bulk import RelabelOptions, open_relabel
from nlp_service.core import relabelling
from nlp_service.core.columns import ColumnMapping
from nlp_service.core.expand import Expander
from nlp_service.core.partitions import read_keys
from nlp_service.errors import InputError
from nlp_service.settings import Settings

SHOWN_ROWS = 10


def relabel(  # noqa: PLR0917  # options are passed by name
    inputs: list[str] = typer.Argument(None, help="Files, folders or patterns; - is standard input."),
    output: Path | None = typer.Option(None, "--output", "-o", help="Folder for parts, rejects and manifest."),
    mapping: list[str] = typer.Option([], "--map", help="FIELD=COLUMN, e.g. text=评价内容; the rest is guessed."),
    mapping_file: Path | None = typer.Option(None, "--map-file", help="YAML or JSON file of field: column."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Show mapping, ten rows and counts; label nothing."),
    resume: bool = typer.Option(False, "--resume", help="Go on with the job in the output folder."),
    form: str = typer.Option("parquet", "--format", help="parquet or jsonl."),
    encoding: str | None = typer.Option(None, "--encoding", help="Of text files, where it cannot be told."),
    stdin_form: str = typer.Option("jsonl", "--stdin-format", help="Of standard input: jsonl, csv, tsv or txt."),
    utc_offset: str = typer.Option("+08:00", "--utc-offset", help="Of times that name no zone."),
    customers: str = typer.Option("", "--customers", help="Speakers who are customers, by comma; others are agents."),
    part_rows: int = typer.Option(10_000, "--part-rows", min=1, help="Rows of a part; a kill costs at most one."),
    partition_by: str = typer.Option("", "--partition-by", help="Folders of the output, e.g. month,channel or intent."),
    model: Path | None = typer.Option(None, "--model", help="Bundle folder; the accepted bundle by default."),
    policy: Path | None = typer.Option(None, "--policy", help="Policy (YAML); by default the one in force."),
    store: bool = typer.Option(False, "--store", help="Also store the labellings where themes see them."),
    engine: str = typer.Option("local", "--engine", help="local, or ray (pip install 'nlp-service[ray]')."),
    ray_workers: int = typer.Option(2, "--ray-workers", min=1, help="Ray actors, one core and one model each."),
    ray_address: str | None = typer.Option(None, "--ray-address", help="Of a Ray cluster; one is started by default."),
    compare: Path | None = typer.Option(None, "--compare", help="Older output: write what changed since."),
    progress_json: bool = typer.Option(False, "--progress-json", help="Report progress as JSON lines on stdout."),
) -> None:
    """Label history: JSONL, CSV, Parquet, Excel, text, gzip and zstd; messages or whole transcripts.

    Examples:
      nlp-service relabel reviews.csv.gz --dry-run
      nlp-service relabel transcripts.jsonl --output labelled
      nlp-service relabel 'history/*.parquet' --output labelled --partition-by month,channel --resume
      nlp-service relabel --output labelled-v2 --compare labelled-v1
    """
    _check_forms(form, engine)
    keys = read_keys(partition_by)
    if compare is not None and output is not None and (output / "manifest.json").exists():
        _compare(compare, output)
        return
    _check_named(inputs, output, dry_run=dry_run)
    rows = _open_rows(inputs, output, encoding, stdin_form, resume=resume)
    columns = rows.guess(_given(mapping, mapping_file))
    offset = parse_offset(utc_offset)
    speakers = tuple(name for name in customers.split(",") if name.strip())
    if dry_run:
        _show(rows, columns, Expander(columns, offset=offset, customers=speakers))
        return
    assert output is not None
    options = RelabelOptions(
        output=output,
        columns=columns,
        form=form,
        offset=offset,
        customers=speakers,
        part_rows=part_rows,
        partition_by=keys,
        policy=policy,
        resume=resume,
        store=store,
        ray_workers=ray_workers if engine == "ray" else 0,
        ray_address=ray_address,
    )
    _carry_out(rows, options, model, progress_json=progress_json, compare=compare)


def _check_forms(form: str, engine: str) -> None:
    _one_of("--format", form, ("parquet", "jsonl"))
    _one_of("--engine", engine, ("local", "ray"))


def _check_named(inputs: list[str], output: Path | None, *, dry_run: bool) -> None:
    if not inputs:
        raise InputError("name the files to label; see nlp-service relabel --help")
    if output is None and not dry_run:
        raise InputError("name a folder with --output, or look first with --dry-run")


def _compare(before: Path, after: Path) -> None:
    target = after / "comparison"
    data = write_comparison(before, after, target)
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"{data['messages']} messages in both, {data['changed']} changed ({data['changed_share']:.1%}); "
        f"see {target / 'report.html'}, report.md, report.json"
    )


def _one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise InputError(f"{option} {value!r} is not known: use {' or '.join(known)}")


def _collect_rarely() -> None:
    """Let the garbage collector look at what this process holds once in a while: rows are freed without it.

    By default it walks over all rows held again and again, a third of the time spent outside the model.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 1000)


def parse_offset(text: str) -> timedelta:
    """Read +08:00; raises InputError."""
    sign, _, rest = text[:1], None, text[1:]
    hours, _, minutes = rest.partition(":")
    if sign not in {"+", "-"} or not hours.isdigit() or not (minutes or "0").isdigit() or int(hours) > 14:
        raise InputError(f"--utc-offset {text!r} is not understood: write it as +08:00")
    offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
    return offset if sign == "+" else -offset


def _open_rows(
    inputs: list[str], output: Path | None, encoding: str | None, stdin_form: str, *, resume: bool
) -> FileRows:
    if inputs != ["-"]:
        return FileRows.open(inputs, encoding=encoding)
    if output is None:
        raise InputError("standard input is kept in the output folder: name it with --output")
    held = output.with_name(f"{output.name}.stdin")
    path = held / f"stdin.{stdin_form}"
    if not (resume and path.exists()):
        path = spool(standard_input(), held, stdin_form)
    return FileRows.open([str(path)], encoding=encoding)


def _given(mapping: list[str], file: Path | None) -> dict[str, str]:
    given: dict[str, str] = {}
    if file is not None:
        try:
            loaded: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        except (OSError, yaml.YAMLError) as exc:
            raise InputError(f"mapping file {file} cannot be read: {exc}") from exc
        if not isinstance(loaded, dict):
            raise InputError(f"mapping file {file} is not a mapping of field: column")
        given.update({str(key): str(value) for key, value in loaded.items()})
    for pair in mapping:
        name, mark, column = pair.partition("=")
        if not mark:
            raise InputError(f"--map {pair!r} is not FIELD=COLUMN")
        given[name.strip()] = column.strip()
    return given


def _show(rows: FileRows, columns: ColumnMapping, expander: Expander) -> None:
    console = Console(highlight=False)
    for file in rows.files:
        encoding = f", {file.encoding} ({file.why})" if file.encoding else ""
        count = "" if file.rows is None else f", about {file.rows} rows"
        console.print(f"{file.path}: {file.form}, {file.size} bytes{encoding}{count}", markup=False)
    table = Table("field", "column", "found by")
    for name, column in columns.columns.items():
        table.add_row(name, column, columns.why.get(name, ""))
    console.print(table)
    console.print(f"each row is one of: {columns.shape}")
    items = [item for row in rows.rows() for item in expander.expand(row)] if (rows.expected or 0) < 100_000 else []
    preview = items or [item for row in rows.peek() for item in expander.expand(row)]
    table = Table("line", "turn", "message", "context or fault")
    for item in [item for item in preview if not item.agent][:SHOWN_ROWS]:
        fields = item.fields or {}
        context = item.fault or " / ".join(fields.get("context") or [])
        table.add_row(str(item.number), str(item.turn or ""), str(fields.get("text", ""))[:60], context[:80])
    console.print(table)
    faults = sum(item.fault is not None for item in preview)
    agents = sum(item.agent for item in preview)
    of = "in all" if items else f"of the first {len(rows.peek())} rows"
    console.print(
        f"{of}: {len(preview) - faults - agents} messages to label, {agents} turns of agents, {faults} to reject"
    )


def _report_json(progress: relabelling.Progress) -> None:
    data = {**vars(progress.tally), "expected": progress.expected, "rows_per_second": round(progress.rate, 1)}
    sys.stdout.write(orjson.dumps(data).decode() + "\n")
    sys.stdout.flush()


def _carry_out(
    rows: FileRows, options: RelabelOptions, model: Path | None, *, progress_json: bool, compare: Path | None
) -> None:
    with open_relabel(Settings(), rows, options, bundle=model) as job:
        _collect_rarely()
        if progress_json:
            job(report=_report_json)
        else:
            _run_with_bar(job, rows)
    _print_outcome(options.output, compare)


def _run_with_bar(job: Any, rows: FileRows) -> None:
    console = Console(stderr=True)
    columns = (
        *(TextColumn("relabelling"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}")),
        *(TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn()),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("relabelling", total=rows.expected, rate="")

        def report(progress: relabelling.Progress) -> None:
            bar.update(task, completed=progress.tally.rows, rate=f"{progress.rate:,.0f} rows/s")

        job(report=report)


def _print_outcome(output: Path, compare: Path | None) -> None:
    manifest = orjson.loads((output / "manifest.json").read_bytes())
    rows = manifest["rows"]
    agents = f" + {rows['agent_turns']} turns of agents" if rows["agent_turns"] else ""
    conversations = f"; {manifest['conversations']} conversations" if manifest["conversations"] is not None else ""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"{output}: {rows['read']} read = {rows['labelled']} labelled + {rows['rejected']} rejected{agents}; "
        f"{rows['duplicate_texts']} duplicate texts{conversations}; policy: {manifest['policy']}"
    )
    if compare is not None:
        _compare(compare, output)
