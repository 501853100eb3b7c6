"""The composition of bulk jobs: files, model, policy and database put together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from nlp_service.adapters.files.job import about_job
from nlp_service.adapters.files.output import OutputFolder
from nlp_service.adapters.files.rows import FileRows
from nlp_service.bootstrap import open_database, open_labeller, open_messages
from nlp_service.contract.bundle import file_hash, read_accepted
from nlp_service.core.columns import ColumnMapping
from nlp_service.core.expand import Expander
from nlp_service.flows.relabel import PART_ROWS, LocalLabeller, Relabel
from nlp_service.settings import Settings


@dataclass(frozen=True, kw_only=True)
class RelabelOptions:
    """How files are relabelled."""

    output: Path
    columns: ColumnMapping
    form: str = "parquet"  # or jsonl
    offset: timedelta = timedelta(hours=8)  # of times that name no zone
    customers: tuple[str, ...] = ()  # speakers who are customers; empty: told by their names
    part_rows: int = PART_ROWS
    resume: bool = False
    store: bool = False  # also keep the labellings in the database


@contextmanager
def open_relabel(
    settings: Settings, rows: FileRows, options: RelabelOptions, *, bundle: Path | None = None
) -> Iterator[Relabel]:
    """Open a job on files, new or to be resumed; closes the database where one was needed."""
    folder = bundle or read_accepted(settings.models)
    labeller = open_labeller(settings, bundle=folder)
    about = about_job(
        rows,
        options.columns,
        model=labeller.model.identity,
        model_sha256=file_hash(folder / "manifest.json"),
        policy_sha256=hashlib.sha256(labeller.judge.policy.text.encode()).hexdigest(),
        form=options.form,
        offset=options.offset,
        customers=options.customers,
        part_rows=options.part_rows,
    )
    parts = OutputFolder.open(
        options.output, about, taxonomy=labeller.taxonomy, form=options.form, resume=options.resume
    )
    database = open_database(settings) if options.store else None
    try:
        yield Relabel(
            rows=rows,
            expander=Expander(options.columns, offset=options.offset, customers=options.customers),
            labeller=LocalLabeller(
                model=labeller.model, judge=labeller.judge, identify=labeller.identify, now=labeller.now
            ),
            parts=parts,
            part_rows=options.part_rows,
            store=None if database is None else open_messages(settings, database),
        )
    finally:
        parts.close()
        if database is not None:
            database.close()
