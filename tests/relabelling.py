"""A relabelling job on the fake model, for every test that needs one, also as a process that can be killed:

python -m tests.relabelling OUTPUT INPUT… [--resume] [--part-rows N] [--version V] [--pause SECONDS] [--ray FOLDER]
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
import pyarrow.parquet as pq

from nlp_service.adapters.files.job import about_job
from nlp_service.adapters.files.output import Layout, OutputFolder
from nlp_service.adapters.files.rows import FileRows
from nlp_service.adapters.ray import RayLabeller
from nlp_service.contract.taxonomy import load_taxonomy
from nlp_service.core.expand import Expander
from nlp_service.core.labelling import Language, Scores
from nlp_service.core.policy import default_policy
from nlp_service.flows.classify import judge_of
from nlp_service.flows.relabel import LocalLabeller, Relabel
from nlp_service.ports import ChunkLabeller, MessageStore, Segments
from nlp_service.testing import FakeModel, FixedClock

ROOT = Path(__file__).parent.parent


def build_in_worker(folder: Path, pause: float) -> LocalLabeller:
    """Make a Ray worker's labeller; its process leaves its number, so that a test can end it."""
    (folder / str(os.getpid())).touch()
    return labeller(pause=pause)


class SlowModel(FakeModel):
    pause = 0.0
    scored = 0

    def score(self, segments: Sequence[Segments]) -> Scores:
        self.scored += len(segments)
        time.sleep(self.pause)
        return super().score(segments)


def chinese(_text: str) -> Language:
    return Language(code="zh", script="Hans", confidence=1.0, supported=True)


def labeller(*, version: str = "0.0.1", pause: float = 0.0) -> LocalLabeller:
    model = SlowModel(load_taxonomy(ROOT / "corpora" / "taxonomy.yaml"), version=version, size=16)
    model.pause = pause
    return LocalLabeller(
        model=model, judge=judge_of(model, default_policy(model.taxonomy)), identify=chinese, now=FixedClock()
    )


def job(
    output: Path,
    inputs: Sequence[str],
    *,
    resume: bool = False,
    part_rows: int = 50,
    version: str = "0.0.1",
    form: str = "parquet",
    pause: float = 0.0,
    store: MessageStore | None = None,
    elsewhere: ChunkLabeller | None = None,
    partition_by: tuple[str, ...] = (),
) -> Relabel:
    here = labeller(version=version, pause=pause)
    rows = FileRows.open(inputs)
    columns = rows.guess()
    about = about_job(
        rows,
        columns,
        model=here.model.identity,
        model_sha256=version,
        policy_sha256="",
        form=form,
        offset=timedelta(hours=8),
        customers=(),
        part_rows=part_rows,
        partition_by=partition_by,
    )
    parts = OutputFolder.open(
        output, about, taxonomy=here.model.taxonomy, form=form, layout=Layout(keys=partition_by), resume=resume
    )
    return Relabel(
        rows=rows,
        expander=Expander(columns),
        labeller=elsewhere or here,
        parts=parts,
        part_rows=part_rows,
        store=store,
    )


def read_output(folder: Path) -> Iterator[dict[str, object]]:
    for path in sorted(folder.rglob("part-*")):
        if path.suffix == ".parquet":
            with pq.ParquetFile(path) as table:  # the file alone, without columns from its folder's name
                yield from table.read().to_pylist()
        else:
            yield from map(orjson.loads, path.read_bytes().splitlines())


def rejects(folder: Path) -> list[dict[str, object]]:
    return [orjson.loads(line) for line in (folder / "rejects.jsonl").read_bytes().splitlines()]


def manifest(folder: Path) -> dict[str, object]:
    found: dict[str, object] = orjson.loads((folder / "manifest.json").read_bytes())
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    parser.add_argument("inputs", nargs="+")
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--part-rows", type=int, default=50)
    parser.add_argument("--version", default="0.0.1")
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--ray", type=Path, help="on two Ray workers, whose numbers are left in this folder")
    given = parser.parse_args()
    elsewhere = None
    if given.ray is not None:
        # Under the module's own name: a function of __main__ would be sent by value, its globals with it.
        build = importlib.import_module("tests.relabelling").build_in_worker
        elsewhere = RayLabeller(partial(build, given.ray, given.pause), workers=2)
    made = job(
        given.output,
        given.inputs,
        resume=given.resume,
        part_rows=given.part_rows,
        version=given.version,
        pause=given.pause,
        elsewhere=elsewhere,
    )
    made(report=lambda progress: print(progress.tally.rows, flush=True))  # noqa: T201


if __name__ == "__main__":
    main()
