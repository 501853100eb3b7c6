"""The corpus format: one labelled or unlabelled message a line, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from nlp_service.errors import CorpusError


@dataclass(frozen=True, kw_only=True)
class Record:
    """One message of a corpus. A label that is None was not labelled: no head learns from it."""

    text: str
    id: str = ""
    context: tuple[str, ...] = ()  # up to two turns before, oldest first, "顾客: …" or "客服: …"
    lang: str = "zh"
    source: str = ""
    licence: str = ""
    dialogue: str | None = None  # turns of one conversation are never split
    intent: str | None = None
    intent2: str | None = None  # a second matter in its own right
    sentiment: int | None = None  # -2 … 2
    emotion: str | None = None
    flags: tuple[str, ...] | None = None
    priority: str | None = None


_FIELDS = frozenset(field.name for field in fields(Record))


def parse_record(raw: Any, *, where: str) -> Record:
    """Build a record from one parsed JSON object; unknown keys are ignored, as corpora carry their own.

    Raises:
        CorpusError: not an object, no text, or a value of the wrong type; ``where`` is in the message.
    """
    if not isinstance(raw, dict):
        raise CorpusError(f"{where}: expected an object, got {type(raw).__name__}")
    if not isinstance(raw.get("text"), str) or not raw["text"].strip():
        raise CorpusError(f"{where}: 'text' must be a non-empty string")
    known = {key: value for key, value in raw.items() if key in _FIELDS}
    for key in ("context", "flags"):
        if known.get(key) is not None:
            if not isinstance(known[key], list) or not all(isinstance(item, str) for item in known[key]):
                raise CorpusError(f"{where}: {key!r} must be a list of strings")
            known[key] = tuple(known[key])
    known["context"] = known.get("context") or ()
    if known.get("sentiment") is not None and known["sentiment"] not in (-2, -1, 0, 1, 2):
        raise CorpusError(f"{where}: 'sentiment' must be -2 … 2, got {known['sentiment']!r}")
    return Record(**known)


def read_records(path: Path) -> Iterator[Record]:
    """Yield the records of a JSONL file; raises CorpusError naming file and line."""
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                raw = json.loads(line)
            except ValueError as exc:
                raise CorpusError(f"{path}:{number}: not JSON: {exc}") from exc
            yield parse_record(raw, where=f"{path}:{number}")


def write_records(records: Iterable[Record], path: Path) -> int:
    """Write records as JSONL without empty fields; returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for record in records:
            values = {key: value for key, value in asdict(record).items() if value not in (None, "", ())}
            if record.flags is not None:
                values["flags"] = list(record.flags)
            stream.write(json.dumps(values, ensure_ascii=False) + "\n")
            count += 1
    return count
