"""A bulk job: every row is in the output or among the rejects, in any mixture, after any interruption."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nlp_service.errors import Cancelled, Conflict, JobError
from nlp_service.testing import MemoryMessages
from tests.relabelling import SlowModel, job, manifest, read_output, rejects

GOOD = st.builds(lambda text: {"text": text}, st.text("快递退款投诉ab ", min_size=1, max_size=12).filter(str.strip))
BAD = st.sampled_from([{"text": " "}, {"text": None}, {"no": 1}, {"text": "好", "amount": "x"}, 7, "{broken"])


def write(path: Path, rows: list[Any]) -> Path:
    texts = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("".join(text + "\n" for text in texts), encoding="utf-8")
    return path


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(GOOD | BAD, max_size=30), part_rows=st.integers(1, 12), form=st.sampled_from(["parquet", "jsonl"]))
def test_any_mixture_is_reconciled_to_the_row(rows: list[Any], part_rows: int, form: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = write(folder / "in.jsonl", [{"text": "第一行总是好的"}, *rows])
        job(folder / "out", [str(source)], part_rows=part_rows, form=form)()
        lines = [row["line"] for row in read_output(folder / "out")] + [row["line"] for row in rejects(folder / "out")]
        assert sorted(lines) == list(range(1, len(rows) + 2))  # type: ignore[type-var]
        counted: Any = manifest(folder / "out")["rows"]
        assert counted["read"] == counted["labelled"] + counted["rejected"] == len(rows) + 1
        assert all(row["reason"] for row in rejects(folder / "out"))


def test_a_stopped_job_goes_on_and_ends_as_if_never_stopped(tmp_path: Path) -> None:
    rows = [{"id": f"m-{n}", "text": f"快递 {n % 40} 还没到"} for n in range(400)]
    source = write(tmp_path / "in.jsonl", rows)
    job(tmp_path / "whole", [str(source)])()
    stop = iter([False, False, True])
    with pytest.raises(Cancelled, match="after 150 rows, which are kept"):
        job(tmp_path / "out", [str(source)])(cancelled=lambda: next(stop))
    assert not (tmp_path / "out" / "manifest.json").exists()
    job(tmp_path / "out", [str(source)], resume=True)()
    assert list(read_output(tmp_path / "out")) == list(read_output(tmp_path / "whole"))
    assert manifest(tmp_path / "out") == manifest(tmp_path / "whole")
    counted: Any = manifest(tmp_path / "out")["rows"]
    assert (counted["duplicate_texts"], counted["duplicate_ids"]) == (360, 0)


def test_duplicates_are_computed_once(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": f"一样的话 {n % 7}"} for n in range(300)])
    made = job(tmp_path / "out", [str(source)])
    made()
    model = made.labeller.model  # type: ignore[attr-defined]
    assert isinstance(model, SlowModel)
    assert model.scored == 7


def test_a_changed_input_or_model_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": f"第 {n} 句话"} for n in range(120)])
    with pytest.raises(Cancelled):
        job(tmp_path / "out", [str(source)])(cancelled=lambda: True)
    with pytest.raises(JobError, match="cannot go on: model was"):
        job(tmp_path / "out", [str(source)], resume=True, version="0.0.2")
    with pytest.raises(JobError, match="cannot go on: part_rows was 50, now it is 9"):
        job(tmp_path / "out", [str(source)], resume=True, part_rows=9)
    write(source, [{"text": "别的"}])
    with pytest.raises(JobError, match="cannot go on: input was"):
        job(tmp_path / "out", [str(source)], resume=True)
    with pytest.raises(Conflict, match="go on with --resume"):
        job(tmp_path / "out", [str(source)])


def test_an_altered_part_is_refused(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": f"第 {n} 句话"} for n in range(120)])
    with pytest.raises(Cancelled):
        job(tmp_path / "out", [str(source)])(cancelled=lambda: True)
    (tmp_path / "out" / "part-00000.parquet").write_bytes(b"short")
    with pytest.raises(JobError, match="is missing or was changed"):
        job(tmp_path / "out", [str(source)], resume=True)


def test_a_ledger_line_cut_by_a_power_failure_is_done_again(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": f"第 {n} 句话"} for n in range(200)])
    stop = iter([False, True])
    with pytest.raises(Cancelled):
        job(tmp_path / "out", [str(source)])(cancelled=lambda: next(stop))
    ledger = tmp_path / "out" / ".job" / "ledger.jsonl"
    ledger.write_bytes(ledger.read_bytes()[:-20])
    job(tmp_path / "out", [str(source)], resume=True)()
    assert [row["line"] for row in read_output(tmp_path / "out")] == list(range(1, 201))


def test_a_finished_job_is_not_begun_again(tmp_path: Path) -> None:
    source = write(tmp_path / "in.jsonl", [{"text": "一句话"}])
    job(tmp_path / "out", [str(source)])()
    for resume in (True, False):
        with pytest.raises(Conflict, match="holds a finished job"):
            job(tmp_path / "out", [str(source)], resume=resume)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(Conflict, match="is not empty: choose an empty one"):
        job(tmp_path / "other", [str(source)])


def test_turns_across_parts_and_runs_keep_their_context(tmp_path: Path) -> None:
    rows = [{"session": f"s-{n % 3}", "role": "user" if n % 2 else "agent", "content": f"第 {n} 句"} for n in range(90)]
    source = write(tmp_path / "in.jsonl", rows)
    job(tmp_path / "whole", [str(source)], part_rows=1000)()
    stop = iter([False, True])
    with pytest.raises(Cancelled):
        job(tmp_path / "out", [str(source)], part_rows=7)(cancelled=lambda: next(stop))
    job(tmp_path / "out", [str(source)], part_rows=7, resume=True)()
    assert list(read_output(tmp_path / "out")) == list(read_output(tmp_path / "whole"))
    counted: Any = manifest(tmp_path / "out")
    assert counted["rows"]["read"] == 90 == counted["rows"]["labelled"] + counted["rows"]["agent_turns"]
    assert counted["conversations"] == 3


def test_store_keeps_each_labelling_once(tmp_path: Path) -> None:
    store = MemoryMessages()
    source = write(tmp_path / "in.jsonl", [{"id": f"m-{n}", "text": f"第 {n} 句话"} for n in range(30)])
    for name in ("one", "two"):
        job(tmp_path / name, [str(source)], store=store)()
    assert Counter(len(store.get(f"m-{n}").labellings) for n in range(30)) == {1: 30}


def test_a_small_slice_gives_the_same_closing(tmp_path: Path) -> None:
    from nlp_service.adapters.files.closing import count_distinct, write_conversations

    rows = [{"session": f"s-{n % 11}", "role": "user", "content": f"第 {n % 20} 句"} for n in range(100)]
    source = write(tmp_path / "in.jsonl", rows)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    made = job(tmp_path / "out", [str(source)], part_rows=30)
    with pytest.raises(Cancelled):
        made(cancelled=lambda: made.parts.done[0].rows == 90)
    index = sorted((tmp_path / "out" / ".job").glob("index-*"))
    priorities = {"urgent": 5, "normal": 30, "low": 240}
    found = []
    for size in (1000, 9):
        path = tmp_path / f"{size}.jsonl"
        assert write_conversations(path, index, priorities, rows=90, size=size) == 11
        found.append(sorted(path.read_text().splitlines()))
    assert found[0] == found[1]
    assert count_distinct(index, "text_key", rows=90, size=9) == count_distinct(index, "text_key", rows=90)
