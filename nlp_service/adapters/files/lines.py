"""Rows of text files: JSON lines, delimited tables, plain lines. A line that cannot be read becomes a fault."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import IO, Any

import orjson

from nlp_service.adapters.files.opening import open_bytes
from nlp_service.adapters.files.survey import Surveyed
from nlp_service.core.rows import Row
from nlp_service.errors import InputError

MAX_LINE = 16 << 20  # bytes; a longer line is a fault, not a memory fault
MAX_ARRAY = 64 << 20  # bytes of one JSON array, which must be held whole
MAX_CELL = 1 << 20
_ENDS = ("。", "！", "？", "!", "?", "，", ",")  # of a sentence, not of a name
_DELIMITERS = ",;\t|"
_DOUBLE_BYTE = ("utf-16", "utf-32")  # a line break is more than one byte


def read_jsonl(file: Surveyed, *, skip: int = 0) -> Iterator[Row]:
    """Yield the objects of a file, one a line (or of one array); blank lines are no rows."""
    if _is_array(file):
        yield from _array(file, skip)
        return
    for number, line, fault in _lines(file):
        if skip:
            skip -= 1
        elif fault is not None:
            yield Row(origin=file.origin, number=number, fault=fault)
        else:
            yield _object(file, number, line)


def read_lines(file: Surveyed, *, skip: int = 0) -> Iterator[Row]:
    """Yield each line that is not blank as a row with the one column ``text``."""
    for number, line, fault in _lines(file):
        if skip:
            skip -= 1
        else:
            fields = None if fault else {"text": line.strip()}
            yield Row(origin=file.origin, number=number, fields=fields, fault=fault)


def read_delimited(file: Surveyed, *, skip: int = 0) -> Iterator[Row]:
    """Yield the rows of a delimited table by its header; the delimiter is found in the first lines."""
    csv.field_size_limit(MAX_CELL)
    with closing(open_bytes(file.path)) as stream:
        lines = _Physical(stream, file.encoding)
        reader = csv.reader(lines, delimiter=_delimiter(file), strict=False)
        header: list[str] | None = None
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                if skip:
                    skip -= 1
                else:
                    yield Row(origin=file.origin, number=start, fault=f"not a row of a table: {exc}")
                continue
            if not any(cell.strip() for cell in cells):
                continue
            if header is None:
                header = _header(cells, file)
                if _is_header(cells):
                    continue
            if skip:
                skip -= 1
            else:
                yield _table_row(file, start, header, cells)


def _table_row(file: Surveyed, number: int, header: Sequence[str], cells: Sequence[str]) -> Row:
    for cell in cells:
        if not cell.isascii() and any("\ud800" <= char <= "\udfff" for char in cell):
            return Row(origin=file.origin, number=number, fault=f"not {file.encoding}: a byte cannot be decoded")
    if len(cells) > len(header) and any(cell.strip() for cell in cells[len(header) :]):
        fault = f"has {len(cells)} cells, the header {len(header)}: quote cells that hold the delimiter"
        return Row(origin=file.origin, number=number, fault=fault)
    return Row(origin=file.origin, number=number, fields=dict(zip(header, cells, strict=False)))


def _header(cells: Sequence[str], file: Surveyed) -> list[str]:
    if not _is_header(cells):
        return _numbered(cells)
    names = [cell.strip().lstrip("\ufeff") for cell in cells]
    twice = {name for name in names if name and names.count(name) > 1}
    if twice:
        raise InputError(f"{file.path} has two columns named {sorted(twice)[0]!r}: rename one")
    return [name or f"column{place}" for place, name in enumerate(names, 1)]


def _numbered(cells: Sequence[str]) -> list[str]:
    return [f"column{place}" for place in range(1, len(cells) + 1)]


def _is_header(cells: Sequence[str]) -> bool:
    """Tell a header from data: names are short, not numbers, and end in no punctuation."""
    return all(len(cell) <= 40 and not _number(cell) and not cell.rstrip().endswith(_ENDS) for cell in cells)


def _number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _delimiter(file: Surveyed) -> str:
    """Return the delimiter whose count agrees best over the first rows."""
    if ".tsv" in file.path.name.lower():
        return "\t"
    with closing(open_bytes(file.path)) as stream:
        lines = [line for line, _ in zip(_Physical(stream, file.encoding), range(50), strict=False)]
    best = (0.0, ",")
    for mark in _DELIMITERS:
        counts = [len(row) for row in csv.reader(lines, delimiter=mark) if row]
        if counts and counts[0] > 1:
            agreeing = sum(count == counts[0] for count in counts) / len(counts)
            best = max(best, (agreeing + counts[0] / 1000, mark))
    return best[1]


class _Physical:
    """Decoded lines; bytes that cannot be decoded become surrogates, so that their row alone is a fault."""

    def __init__(self, stream: IO[bytes], encoding: str) -> None:
        self._stream = stream
        self._encoding = encoding
        self._first = True

    def __iter__(self) -> Iterator[str]:
        if self._encoding in _DOUBLE_BYTE:
            wide = io.TextIOWrapper(self._stream, encoding=self._encoding, errors="surrogateescape", newline="")
            try:
                yield from wide
            finally:
                wide.detach()  # the stream is its opener's to close
            return
        plain = "utf-8" if self._encoding == "utf-8-sig" else self._encoding
        while line := self._stream.readline(MAX_LINE):
            text = line.decode(plain, "surrogateescape")
            if self._first:
                self._first = False
                text = text.removeprefix("\ufeff")
            yield text.replace("\x00", "\ufffd")


def _lines(file: Surveyed) -> Iterator[tuple[int, str, str | None]]:
    """Yield (number, decoded line, fault) of the lines that are not blank."""
    with closing(open_bytes(file.path)) as stream:
        if file.encoding in _DOUBLE_BYTE:
            for number, text in enumerate(_Physical(stream, file.encoding), 1):
                if text.strip():
                    yield number, text, None
            return
        plain = "utf-8" if file.encoding == "utf-8-sig" else file.encoding
        number = 0
        while line := stream.readline(MAX_LINE + 1):
            number += 1
            if len(line) > MAX_LINE and not line.endswith(b"\n"):
                while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                    pass
                yield number, "", f"line is longer than {MAX_LINE} bytes"
                continue
            if not line.strip():
                continue
            try:
                yield number, line.decode(plain).removeprefix("\ufeff" if number == 1 else ""), None
            except UnicodeDecodeError as exc:
                yield number, "", f"not {file.encoding}: byte {exc.start + 1} of the line is 0x{line[exc.start]:02x}"


def _object(file: Surveyed, number: int, line: str) -> Row:
    try:
        value = _loads(line)
    except ValueError as exc:
        return Row(origin=file.origin, number=number, fault=f"not JSON: {exc}")
    return _row_of(file, number, value)


def _row_of(file: Surveyed, number: int, value: Any) -> Row:
    if isinstance(value, str):
        value = {"text": value}
    if not isinstance(value, dict):
        return Row(origin=file.origin, number=number, fault=f"expected a JSON object, got {type(value).__name__}")
    return Row(origin=file.origin, number=number, fields=value)


def _loads(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as exc:
        if "surrogate" not in str(exc):
            raise
        return json.loads(text)  # "\ud83d" alone: some exporters cut an emoji in two


def _is_array(file: Surveyed) -> bool:
    with closing(open_bytes(file.path)) as stream:
        return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _array(file: Surveyed, skip: int) -> Iterator[Row]:
    with closing(open_bytes(file.path)) as stream:
        content = stream.read(MAX_ARRAY + 1)
    if len(content) > MAX_ARRAY:
        raise InputError(f"{file.path} is one JSON array of over {MAX_ARRAY} bytes: write one object a line (JSONL)")
    try:
        values = _loads(content.decode(file.encoding))
    except ValueError as exc:
        raise InputError(f"{file.path} is not JSON: {exc}") from exc
    for number, value in enumerate(values, 1):
        if number > skip:
            yield _row_of(file, number, value)
