"""What a job is about and which parts it has finished: one JSON line each, appended and synced."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from nlp_service.adapters.files.durable import sync_folder
from nlp_service.core.relabelling import Position, Tally
from nlp_service.errors import Conflict, JobError


@dataclass(frozen=True, kw_only=True)
class PartFile:
    name: str  # below the output folder
    rows: int
    size: int  # bytes
    sha256: str


@dataclass(frozen=True, kw_only=True)
class PartEntry:
    number: int
    files: tuple[PartFile, ...]  # one, or one a partition; none where every row was rejected
    tally: Tally
    end: Position

    def as_data(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "files": [vars(file) for file in self.files],
            "tally": vars(self.tally),
            "end": vars(self.end),
        }

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> PartEntry:
        return cls(
            number=data["number"],
            files=tuple(PartFile(**file) for file in data["files"]),
            tally=Tally(**data["tally"]),
            end=Position(**data["end"]),
        )


class Ledger:
    """The first line says what the job is about; every other line is a finished part."""

    def __init__(self, path: Path, entries: list[PartEntry]) -> None:
        self._path = path
        self.entries = entries

    @classmethod
    def start(cls, path: Path, about: Mapping[str, Any]) -> Ledger:
        """Begin a new job; raises Conflict where one is there."""
        if path.exists():
            raise Conflict(f"{path.parent.parent} holds a job that is not finished: go on with --resume, or remove it")
        ledger = cls(path, [])
        ledger._append(dict(about))
        sync_folder(path.parent)
        return ledger

    @classmethod
    def resume(cls, path: Path, about: Mapping[str, Any]) -> Ledger:
        """Read what is finished; raises JobError where input, model or options are not those of the start."""
        lines = list(_whole_lines(path))
        if not lines:
            path.unlink(missing_ok=True)  # killed before the first line was whole
            return cls.start(path, about)
        started = lines[0]
        for key in {**started, **about}:
            if started.get(key) != about.get(key):
                raise JobError(
                    f"the job in {path.parent.parent} cannot go on: {key} was {_short(started.get(key))}, "
                    f"now it is {_short(about.get(key))}; put it back, or begin anew in another folder"
                )
        ledger = cls(path, [PartEntry.of(line) for line in lines[1:]])
        ledger._cut_torn_end()
        return ledger

    def add(self, entry: PartEntry) -> None:
        self._append(entry.as_data())
        self.entries.append(entry)

    @property
    def tally(self) -> Tally:
        return sum((entry.tally for entry in self.entries), Tally())

    def _append(self, data: Mapping[str, Any]) -> None:
        before = self._path.stat().st_size if self._path.exists() else 0
        with self._path.open("ab") as stream:
            try:
                stream.write(orjson.dumps(data) + b"\n")
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                os.truncate(self._path, before)  # a full disk may have taken half a line
                raise

    def _cut_torn_end(self) -> None:
        content = self._path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            os.truncate(self._path, whole)


def _whole_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines that were written to their end."""
    if not path.exists():
        return
    content = path.read_bytes()
    for line in content[: content.rfind(b"\n") + 1].splitlines():
        yield orjson.loads(line)


def _short(value: object) -> str:
    shown = orjson.dumps(value).decode()
    return shown if len(shown) <= 300 else shown[:300] + "…"
