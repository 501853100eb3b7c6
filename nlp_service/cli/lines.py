"""Label a JSONL file line by line: one answer per line, in order, none lost."""

from __future__ import annotations

import contextlib
import os
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from nlp_service.bootstrap.labeller import Labeller
from nlp_service.core.answer import answer
from nlp_service.core.messages import Message
from nlp_service.errors import InvalidMessage, NotFound
from nlp_service.wire.messages import parse_message

CHUNK = 512  # lines labelled together; the engine sorts them by length


@dataclass
class Counts:
    read: int = 0
    labelled: int = 0
    failed: int = 0


def classify_lines(labeller: Labeller, source: Path, target: Path | None) -> Counts:
    """Label every line; a line that cannot be read is answered with an ``error`` object.

    The target is written beside and renamed at the end, so that an interrupted run leaves no half file under
    its name. Blank lines are passed over.
    """
    counts = Counts()
    unknown: Counter[str] = Counter()
    console = Console(stderr=True)
    columns = (TextColumn("labelling"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _reader(source) as stream, _writer(target) as sink:
        total = _count_lines(source)
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("labelling", total=total)
            for chunk in _chunks(stream):
                for line in _answers(labeller, chunk, counts, unknown):
                    sink.write(line + b"\n")
                progress.advance(task, len(chunk))
    if unknown:
        console.print(f"warning: fields passed over: {', '.join(sorted(unknown))}", style="yellow", highlight=False)
    return counts


def _answers(
    labeller: Labeller, chunk: list[tuple[int, bytes]], counts: Counts, unknown: Counter[str]
) -> Iterator[bytes]:
    messages: list[Message] = []
    faults: dict[int, dict[str, Any]] = {}
    for position, (number, line) in enumerate(chunk):
        try:
            message, passed_over = parse_message(_parse(line))
            unknown.update(passed_over)
            messages.append(message)
        except InvalidMessage as exc:
            faults[position] = {"error": {"line": number, "detail": str(exc)}}
    labellings = iter(labeller.label(messages))
    for position in range(len(chunk)):
        counts.read += 1
        if position in faults:
            counts.failed += 1
            yield orjson.dumps(faults[position])
        else:
            counts.labelled += 1
            yield orjson.dumps(answer(next(labellings), labeller.taxonomy))


def _parse(line: bytes) -> object:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as exc:
        raise InvalidMessage(f"not JSON in UTF-8: {exc}") from exc


def _chunks(stream: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    for number, line in enumerate(stream, 1):
        if line.strip():
            chunk.append((number, line))
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


@contextlib.contextmanager
def _reader(source: Path) -> Iterator[IO[bytes]]:
    if str(source) == "-":
        yield sys.stdin.buffer
        return
    if not source.is_file():
        raise NotFound(f"input file {source} does not exist")
    with source.open("rb") as stream:
        yield stream


@contextlib.contextmanager
def _writer(target: Path | None) -> Iterator[IO[bytes]]:
    if target is None or str(target) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = target.with_name(target.name + ".part")
    with part.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(target)


def _count_lines(source: Path) -> int | None:
    if str(source) == "-":
        return None
    with source.open("rb") as stream:
        return sum(1 for line in stream if line.strip())
