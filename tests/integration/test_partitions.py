"""A partitioned output: every row in the folder that its values say, readable by others, whole after any kill."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.migrations import migrate
from nlp_service.adapters.db.policies import Policies
from nlp_service.adapters.files.output import MOST_FOLDERS
from nlp_service.adapters.files.rows import FileRows
from nlp_service.bulk import RelabelOptions, open_relabel
from nlp_service.core.partitions import ABSENT, LONGEST, folder_of, read_keys
from nlp_service.errors import Cancelled, InputError, JobError
from nlp_service.settings import Settings
from nlp_service.testing import FixedClock
from tests.bundles import write_bundle
from tests.relabelling import job, manifest, read_output

CHANNELS = ("app", "微信", "a/b=c%", None)


def source(path: Path, rows: int = 240) -> str:
    lines = []
    for number in range(rows):
        row: dict[str, Any] = {"id": f"m-{number}", "text": f"快递 {number} 还没到"}
        row |= {"channel": CHANNELS[number % 4], "time": f"2026-0{1 + number % 3}-28T23:30:00+00:00"}
        lines.append(json.dumps({key: value for key, value in row.items() if value}, ensure_ascii=False))
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize("form", ["parquet", "jsonl"])
def test_rows_lie_in_the_folders_of_their_values(tmp_path: Path, form: str) -> None:
    given = source(tmp_path / "in.jsonl")
    job(tmp_path / "flat", [given], form=form)()
    job(tmp_path / "out", [given], form=form, partition_by=("month", "channel"))()
    told: Any = manifest(tmp_path / "out")
    assert told["partition_by"] == ["month", "channel"]
    folders = {file["name"].rpartition("/")[0] for file in told["output"]}
    # 23:30 UTC on the 28th is the next day at +08:00: February ends there.
    assert {name.partition("/")[0] for name in folders} == {"month=2026-01", "month=2026-03"}
    assert {name.partition("/")[2] for name in folders} == {
        "channel=app", "channel=微信", "channel=a%2Fb%3Dc%25", f"channel={ABSENT}",
    }  # fmt: skip
    assert sum(file["rows"] for file in told["output"]) == 240 == told["rows"]["labelled"]
    assert all(file["rows"] <= 50 for file in told["output"])
    key = lambda row: row["line"]  # noqa: E731
    assert sorted(read_output(tmp_path / "out"), key=key) == sorted(read_output(tmp_path / "flat"), key=key)


def test_other_programs_read_it_as_one_table(tmp_path: Path) -> None:
    job(tmp_path / "out", [source(tmp_path / "in.jsonl")], partition_by=("priority", "channel"))()
    files = [str(tmp_path / "out" / file["name"]) for file in manifest(tmp_path / "out")["output"]]  # type: ignore[attr-defined]
    table = ds.dataset(files, partitioning=ds.partitioning(flavor="hive"), partition_base_dir=str(tmp_path / "out"))
    wechat = table.to_table(filter=ds.field("channel") == "微信")
    assert wechat.num_rows == 60
    assert table.count_rows() == 240


def test_what_a_killed_run_left_of_a_part_is_removed(tmp_path: Path) -> None:
    given = source(tmp_path / "in.jsonl")
    job(tmp_path / "whole", [given], partition_by=("channel",))()
    stop = iter([False, True])
    with pytest.raises(Cancelled):
        job(tmp_path / "out", [given], partition_by=("channel",))(cancelled=lambda: next(stop))
    stray = tmp_path / "out" / "channel=elsewhere" / "part-00002.parquet"  # its label fell otherwise before the kill
    stray.parent.mkdir()
    stray.write_bytes((tmp_path / "out" / "channel=app" / "part-00000.parquet").read_bytes())
    half = tmp_path / "out" / "channel=app" / ".part-00003.parquet.part"
    half.write_bytes(b"half")
    job(tmp_path / "out", [given], partition_by=("channel",), resume=True)()
    assert manifest(tmp_path / "out") == manifest(tmp_path / "whole")
    assert not stray.exists()
    assert not half.exists()
    assert sorted(row["line"] for row in read_output(tmp_path / "out")) == list(range(1, 241))  # type: ignore[type-var]


def test_a_partition_that_changed_is_refused_and_too_many_folders_too(tmp_path: Path) -> None:
    given = source(tmp_path / "in.jsonl")
    with pytest.raises(Cancelled):
        job(tmp_path / "out", [given])(cancelled=lambda: True)
    with pytest.raises(JobError, match="partition_by was"):
        job(tmp_path / "out", [given], partition_by=("channel",), resume=True)
    rows = [json.dumps({"text": f"第 {n} 句", "channel": f"c{n}"}) for n in range(MOST_FOLDERS + 1)]
    (tmp_path / "many.jsonl").write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(JobError, match="spreads 1001 rows over 1001 folders"):
        job(tmp_path / "many", [str(tmp_path / "many.jsonl")], part_rows=5000, partition_by=("channel",))()


@pytest.mark.parametrize(("text", "named"), [("mood", "'mood'.*use day, month"), ("month,month", "twice")])
def test_a_partition_that_is_not_known_is_named(text: str, named: str) -> None:
    with pytest.raises(InputError, match=named):
        read_keys(text)


@given(st.text(min_size=1, max_size=400))
def test_any_value_is_a_name_that_a_file_system_takes(value: str) -> None:
    folder = folder_of({"channel": value}, ("channel",), offset=FixedClock().now.utcoffset())  # type: ignore[arg-type]
    name = folder.removeprefix("channel=")
    assert not set(name) & set("/\\\0\n")
    assert name not in {"", ".", ".."}
    assert len(name.encode("utf-8", "replace")) <= LONGEST + 20


def test_the_policy_in_force_is_used_and_named(tmp_path: Path) -> None:
    write_bundle(tmp_path / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (tmp_path / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    given = source(tmp_path / "in.jsonl", rows=8)
    settings = Settings(models=tmp_path / "models", database=f"sqlite:///{tmp_path / 'service.db'}")

    def run(name: str, policy: Path | None = None) -> Any:
        rows = FileRows.open([given])
        options = RelabelOptions(output=tmp_path / name, columns=rows.guess(), policy=policy)
        with open_relabel(settings, rows, options) as made:
            made()
            text = made.labeller.judge.policy.text  # type: ignore[attr-defined]
        return text, manifest(tmp_path / name)["policy"], manifest(tmp_path / name)["policy_sha256"]

    shipped, name, digest = run("one")
    assert name == "the shipped one"
    assert not (tmp_path / "service.db").exists()  # labelling files makes no database
    migrate(settings.database)
    with Database.open(settings.database) as database:
        Policies(database).save(shipped + "\n# ours\n", by="key k", at=FixedClock().now, after=None)
    text, name, saved = run("two")
    assert text.endswith("# ours\n")
    assert name == "version 1, saved on 2026-03-02"
    assert saved != digest
    own = tmp_path / "own.yaml"
    own.write_text(shipped, encoding="utf-8")
    assert run("three", own)[1:] == (str(own), digest)
    assert pq.read_table(next((tmp_path / "three").glob("part-*"))).num_rows == 8
