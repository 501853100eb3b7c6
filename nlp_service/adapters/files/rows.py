"""All rows of all input files, in order, from any position."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any, Protocol

from nlp_service.adapters.files.lines import read_delimited, read_jsonl, read_lines
from nlp_service.adapters.files.opening import find_files
from nlp_service.adapters.files.survey import Surveyed, survey
from nlp_service.adapters.files.tables import read_excel, read_parquet
from nlp_service.core.columns import ColumnMapping, guess_mapping
from nlp_service.core.relabelling import BEGINNING, Position
from nlp_service.core.rows import Row
from nlp_service.errors import InputError

PEEK = 200  # rows from which columns are guessed


class _Reader(Protocol):
    def __call__(self, file: Surveyed, *, skip: int = 0) -> Iterator[Row]: ...


READERS: Mapping[str, _Reader] = {
    "jsonl": read_jsonl,
    "delimited": read_delimited,
    "lines": read_lines,
    "parquet": read_parquet,
    "excel": read_excel,
}


class FileRows:
    """ports.Rows over files that were surveyed."""

    def __init__(self, files: Sequence[Surveyed]) -> None:
        self.files = tuple(files)

    @classmethod
    def open(cls, names: Sequence[str], *, encoding: str | None = None) -> FileRows:
        """Find and survey files; raises NotFound, InputError."""
        return cls([survey(path, place=place, encoding=encoding) for place, path in enumerate(find_files(names))])

    @property
    def expected(self) -> int | None:
        """Rows in all, where every file tells; an upper bound."""
        counts = [file.rows for file in self.files]
        return None if any(count is None for count in counts) else sum(count or 0 for count in counts)

    def rows(self, start: Position = BEGINNING) -> Iterator[Row]:
        """Yield every row from a position on, file by file."""
        for file in self.files[start.file :]:
            yield from READERS[file.form](file, skip=start.rows if file.place == start.file else 0)

    def peek(self, count: int = PEEK) -> list[Row]:
        return list(islice(self.rows(), count))

    def guess(self, given: Mapping[str, str] | None = None) -> ColumnMapping:
        """Guess the columns from the first rows; raises InputError where none holds text."""
        sample: list[Mapping[str, Any]] = [row.fields for row in self.peek() if row.fields is not None]
        if not sample:
            names = ", ".join(file.path.name for file in self.files)
            raise InputError(f"no row of {names} can be read: see --encoding, or give another file")
        headers = list(dict.fromkeys(name for fields in sample for name in fields))
        return guess_mapping(headers, sample, given=given)


def spool(stream: IO[bytes], target: Path, form: str) -> Path:
    """Copy standard input into a file, so that the job can be resumed; returns its path."""
    target.mkdir(parents=True, exist_ok=True)
    path = target / f"stdin.{form}"
    with path.open("wb") as sink:
        shutil.copyfileobj(stream, sink)
    return path


def standard_input() -> IO[bytes]:
    return sys.stdin.buffer
