"""Files of every form and encoding give the same rows; damage is said, never passed over."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from nlp_service.adapters.files import lines, opening
from nlp_service.adapters.files.rows import FileRows
from nlp_service.core.relabelling import Position
from nlp_service.errors import InputError, NotFound

ROWS = [
    {"编号": "1", "内容": "快递三天没动了，再不到我就投诉", "渠道": "微信"},
    {"编号": "2", "内容": '他说"马上到"，\n结果等了一天', "渠道": "app"},
    {"编号": "3", "内容": "说明书看不懂，打电话也没人接", "渠道": "邮件"},
]


def as_csv(delimiter: str = ",", encoding: str = "utf-8") -> bytes:
    sink = io.StringIO()
    writer = csv.DictWriter(sink, list(ROWS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(ROWS)
    return sink.getvalue().encode(encoding)


def as_jsonl(encoding: str = "utf-8") -> bytes:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode(encoding)


def as_parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(ROWS), sink, row_group_size=2)
    return sink.getvalue()


def as_excel() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(list(ROWS[0]))
    for row in ROWS:
        sheet.append(list(row.values()))
    sink = io.BytesIO()
    book.save(sink)
    return sink.getvalue()


FILES: dict[str, Callable[[], bytes]] = {
    "a.jsonl": as_jsonl,
    "gb.jsonl": lambda: as_jsonl("gb18030"),
    "bom.jsonl": lambda: as_jsonl("utf-8-sig"),
    "wide.jsonl": lambda: as_jsonl("utf-16"),
    "a.jsonl.gz": lambda: gzip.compress(as_jsonl()),
    "a.jsonl.zst": lambda: zstandard.compress(as_jsonl()),
    "array.json": lambda: json.dumps(ROWS, ensure_ascii=False, indent=1).encode(),
    "a.csv": as_csv,
    "bom.csv": lambda: as_csv(encoding="utf-8-sig"),
    "gb.csv": lambda: as_csv(encoding="gb18030"),
    "wide.csv": lambda: as_csv(encoding="utf-16"),
    "semicolon.csv": lambda: as_csv(";"),
    "a.tsv": lambda: as_csv("\t"),
    "gb.csv.zst": lambda: zstandard.compress(as_csv(encoding="gb18030")),
    "a.parquet": as_parquet,
    "a.xlsx": as_excel,
}


@pytest.mark.parametrize("name", FILES)
def test_every_form_gives_the_same_rows_from_any_position(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(FILES[name]())
    rows = FileRows.open([str(tmp_path / name)])
    assert [row.fields for row in rows.rows()] == ROWS
    for skip in (1, 2, 3):
        assert [row.fields for row in rows.rows(Position(file=0, rows=skip))] == ROWS[skip:]
    assert rows.guess().columns == {"id": "编号", "text": "内容", "channel": "渠道"}


def test_a_folder_is_read_in_order_and_from_a_position(tmp_path: Path) -> None:
    for name in ("b.csv", "a.jsonl"):
        (tmp_path / name).write_bytes(FILES[f"a{Path(name).suffix}"]())
    rows = FileRows.open([str(tmp_path)])
    assert [row.origin.name for row in rows.rows()] == ["a.jsonl"] * 3 + ["b.csv"] * 3
    assert [row.origin.name for row in rows.rows(Position(file=0, rows=3))] == ["b.csv"] * 3
    assert len(list(rows.rows(Position(file=1, rows=2)))) == 1
    assert [file.path.name for file in FileRows.open([str(tmp_path / "*.csv")]).files] == ["b.csv"]


def test_faulty_lines_are_faults_and_their_neighbours_are_read(tmp_path: Path) -> None:
    content = as_jsonl() + b"\n{not json}\n[1]\n" + "只有文字".encode("gb18030") + b"\n" + b'"a line of text"\n'
    (tmp_path / "a.jsonl").write_bytes(content * 3)
    found = list(FileRows.open([str(tmp_path / "a.jsonl")]).rows())
    assert [row.number for row in found[:7]] == [1, 2, 3, 5, 6, 7, 8]
    assert found[3].fault is not None
    assert "not JSON" in found[3].fault
    assert found[4].fault == "expected a JSON object, got list"
    assert "not utf-8" in (found[5].fault or "")
    assert found[6].fields == {"text": "a line of text"}
    assert len(found) == 21


def test_faulty_rows_of_a_table_are_faults(tmp_path: Path) -> None:
    content = as_csv() + b"9,too,many,cells\n" + b"7,\xff\xfe,x\n" + "8,正常的一行,app\n".encode()
    (tmp_path / "a.csv").write_bytes(content)
    found = list(FileRows.open([str(tmp_path / "a.csv")]).rows())
    assert "has 4 cells, the header 3" in (found[3].fault or "")
    assert "cannot be decoded" in (found[4].fault or "")
    assert found[5].fields == {"编号": "8", "内容": "正常的一行", "渠道": "app"}


def test_a_table_without_header_keeps_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("1,快递怎么还没到？\n2,说明书看不懂。\n", encoding="utf-8")
    rows = FileRows.open([str(tmp_path / "a.csv")])
    assert next(row.fields for row in rows.rows()) == {"column1": "1", "column2": "快递怎么还没到？"}
    assert rows.guess().columns["text"] == "column2"


def test_a_file_that_is_cut_is_refused_before_the_work(tmp_path: Path) -> None:
    whole = gzip.compress(as_jsonl() * 2000)
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"cut\.jsonl\.gz is damaged"):
        FileRows.open([str(tmp_path / "cut.jsonl.gz")])
    (tmp_path / "cut.parquet").write_bytes(as_parquet()[:-40])
    with pytest.raises(InputError, match="is not a Parquet file"):
        FileRows.open([str(tmp_path / "cut.parquet")])
    (tmp_path / "no.xlsx").write_bytes(b"PK no zip")
    with pytest.raises(InputError, match="is not a workbook"):
        FileRows.open([str(tmp_path / "no.xlsx")])


def test_a_bomb_is_refused(tmp_path: Path) -> None:
    bomb = gzip.compress(bytes(opening.FREE_EXPANSION + (8 << 20)))
    (tmp_path / "bomb.jsonl.gz").write_bytes(bomb)
    with pytest.raises(InputError, match="expands more than"):
        FileRows.open([str(tmp_path / "bomb.jsonl.gz")])


def test_an_endless_line_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(b'"first"\n' + b"x" * (lines.MAX_LINE + 10) + b'\n"last"\n')
    found = list(FileRows.open([str(tmp_path / "a.jsonl")]).rows())
    assert [row.fault is None for row in found] == [True, False, True]


def test_nothing_to_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no file, no folder"):
        FileRows.open([str(tmp_path / "*.csv")])
    (tmp_path / "a.docx").write_bytes(b"x")
    with pytest.raises(InputError, match="has a form that is not known"):
        FileRows.open([str(tmp_path / "a.docx")])
    (tmp_path / "noise.csv").write_bytes(bytes(range(128, 256)) * 50)
    with pytest.raises(InputError, match="name it with --encoding"):
        FileRows.open([str(tmp_path / "noise.csv")])
