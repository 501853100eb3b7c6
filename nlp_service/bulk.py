"""The composition of bulk jobs: files, model, policy and database put together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path

from nlp_service.adapters.files.job import about_job
from nlp_service.adapters.files.output import Layout, OutputFolder
from nlp_service.adapters.files.rows import FileRows
from nlp_service.adapters.ray import RayLabeller
from nlp_service.bootstrap.labeller import Labeller, open_labeller
from nlp_service.bootstrap.parts import open_database, open_messages, open_policy, open_policy_in_force
from nlp_service.contract.bundle import file_hash, read_accepted
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.columns import ColumnMapping
from nlp_service.core.expand import Expander
from nlp_service.core.policy import Policy
from nlp_service.flows.relabel import PART_ROWS, LocalLabeller, Relabel
from nlp_service.ports import ChunkLabeller
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
    partition_by: tuple[str, ...] = ()  # of core.partitions.KEYS
    policy: Path | None = None  # instead of the one in force
    resume: bool = False
    store: bool = False  # also keep the labellings in the database
    ray_workers: int = 0  # actors on Ray; 0: this process
    ray_address: str | None = None  # of a cluster; None: started on this machine


@contextmanager
def open_relabel(
    settings: Settings, rows: FileRows, options: RelabelOptions, *, bundle: Path | None = None
) -> Iterator[Relabel]:
    """Open a job on files, new or to be resumed; closes the database where one was needed."""
    folder = (bundle or read_accepted(settings.models)).resolve()
    policy, where = _open_policy(settings, options, load_taxonomy(folder / "taxonomy.yaml"))
    labeller = open_labeller(settings, bundle=folder, policy=policy.text)
    about = about_job(
        rows,
        options.columns,
        model=labeller.model.identity,
        model_sha256=file_hash(folder / "manifest.json"),
        policy_sha256=hashlib.sha256(policy.text.encode()).hexdigest(),
        form=options.form,
        offset=options.offset,
        customers=options.customers,
        part_rows=options.part_rows,
        partition_by=options.partition_by,
        policy=where,
    )
    parts = OutputFolder.open(
        options.output,
        about,
        taxonomy=labeller.taxonomy,
        form=options.form,
        layout=Layout(keys=options.partition_by, offset=options.offset),
        resume=options.resume,
    )
    database = open_database(settings) if options.store else None
    try:
        yield Relabel(
            rows=rows,
            expander=Expander(options.columns, offset=options.offset, customers=options.customers),
            labeller=_chunk_labeller(settings, options, labeller, folder),
            parts=parts,
            part_rows=options.part_rows,
            store=None if database is None else open_messages(settings, database),
        )
    finally:
        parts.close()
        if database is not None:
            database.close()


def _open_policy(settings: Settings, options: RelabelOptions, taxonomy: Taxonomy) -> tuple[Policy, str]:
    if options.policy is None:
        return open_policy_in_force(settings, taxonomy)
    return open_policy(settings.model_copy(update={"policy": options.policy}), taxonomy), str(options.policy)


def _chunk_labeller(settings: Settings, options: RelabelOptions, labeller: Labeller, bundle: Path) -> ChunkLabeller:
    if not options.ray_workers:
        return _local(labeller)
    one = settings.model_copy(update={"sessions": 1})
    build = partial(_in_a_worker, one, bundle, labeller.judge.policy.text)
    return RayLabeller(build, workers=options.ray_workers, address=options.ray_address)


def _in_a_worker(settings: Settings, bundle: Path, policy: str) -> LocalLabeller:
    """Load everything in a worker; the bundle's path must be good there too."""
    return _local(open_labeller(settings, bundle=bundle, policy=policy))


def _local(labeller: Labeller) -> LocalLabeller:
    return LocalLabeller(model=labeller.model, judge=labeller.judge, identify=labeller.identify, now=labeller.now)
