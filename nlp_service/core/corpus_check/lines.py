"""Reading a corpus line by line, naming every fault instead of stopping at the first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from nlp_service.contract.corpus import Record, parse_record
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.contract.text import has_words
from nlp_service.core.corpus_check.values import Finding, Line
from nlp_service.core.messages import MAX_TEXT_LENGTH
from nlp_service.core.nearest import likest, nearest
from nlp_service.core.privacy import find_pii
from nlp_service.errors import CorpusError

LONG = 4000  # characters; what lies beyond some 7,000 tokens no model reads
FIELDS = tuple(Record.__dataclass_fields__)
_CARRIED = ("at", "dataset", "topic", "split", "by")  # fields that corpora carry for people; nothing reads them


def read_lines(lines: Iterable[str]) -> tuple[list[Line], list[Finding], int]:
    """Return the readable lines, the faults of form, and how many lines are not blank."""
    readable: list[Line] = []
    faults: list[Finding] = []
    fields: dict[str, list[int]] = {}
    read = 0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        read += 1
        try:
            raw = json.loads(text)
        except (ValueError, RecursionError) as exc:
            faults.append(Finding(kind="unreadable", line=number, detail=f"not JSON: {exc}"))
            continue
        if isinstance(raw, dict) and isinstance(raw.get("text", ""), str) and not raw.get("text", "").strip():
            faults.append(Finding(kind="empty", line=number, detail="'text' is missing or empty"))
            continue
        try:
            readable.append(Line(number=number, record=_parse(raw, number)))
        except CorpusError as exc:
            faults.append(Finding(kind="unreadable", line=number, detail=str(exc).removeprefix(f"{number}: ")))
            continue
        for key in raw.keys() - set(FIELDS) - set(_CARRIED):
            fields.setdefault(str(key), []).append(number)
    return readable, [*faults, *_unknown_fields(fields)], read


def _parse(raw: Any, number: int) -> Record:
    record = parse_record(raw, where=str(number))
    for name in ("id", "lang", "source", "licence", "dialogue", "intent", "intent2", "emotion", "priority"):
        value = getattr(record, name)
        if value is not None and not isinstance(value, str):
            raise CorpusError(f"{name!r} must be text, got {value!r}")
    return record


def _unknown_fields(fields: dict[str, list[int]]) -> Iterator[Finding]:
    for key, numbers in sorted(fields.items()):
        guess = nearest(key, FIELDS)
        meant = f", did you mean {guess!r}?" if guess else ""
        detail = f"field {key!r} is not of the format and is passed over ({len(numbers)} lines){meant}"
        yield Finding(kind="unknown_field", line=numbers[0], detail=detail, label=key, better=guess)


def check_lines(lines: Iterable[Line], taxonomy: Taxonomy, languages: Iterable[str]) -> Iterator[Finding]:
    """Find what is wrong with each line by itself."""
    served = frozenset(languages)
    unlicensed: list[int] = []
    for line in lines:
        record, number = line.record, line.number
        if not record.licence:
            unlicensed.append(number)
        if record.lang not in served:
            detail = f"language {record.lang!r} is not one that the model serves: {', '.join(sorted(served))}"
            yield Finding(kind="unknown_language", line=number, detail=detail, label=record.lang)
        yield from _text(number, record.text)
        yield from _labels(number, record, taxonomy)
        if len(record.text) <= MAX_TEXT_LENGTH and (found := find_pii(record.text)):
            kinds = ", ".join(sorted({span.kind for span in found}))
            yield Finding(kind="personal", line=number, detail=kinds)
    if unlicensed:
        detail = f"{len(unlicensed)} records name no licence: nobody can say whether they may be used"
        yield Finding(kind="no_licence", line=unlicensed[0], detail=detail)


def _text(number: int, text: str) -> Iterator[Finding]:
    if len(text) > MAX_TEXT_LENGTH:
        detail = f"{len(text):,} characters, the service refuses more than {MAX_TEXT_LENGTH:,}"
        yield Finding(kind="oversized", line=number, detail=detail)
    elif len(text) > LONG:
        yield Finding(kind="long", line=number, detail=f"{len(text):,} characters: is this one message?")
    elif not has_words(text):
        yield Finding(kind="no_words", line=number, detail="no letter and no digit")


def _labels(number: int, record: Record, taxonomy: Taxonomy) -> Iterator[Finding]:
    given = [("intent", record.intent), ("intent2", record.intent2), ("emotion", record.emotion),
             ("priority", record.priority), *(("flags", flag) for flag in record.flags or ())]  # fmt: skip
    known = {
        "intent": tuple(taxonomy.intents),
        "intent2": tuple(taxonomy.intents),
        "emotion": taxonomy.emotions,
        "priority": tuple(taxonomy.priorities),
        "flags": taxonomy.flags,
    }
    for head, label in given:
        if label is None or label in known[head]:
            continue
        guess = likest(label, known[head], taxonomy.names)
        better, likeness = guess if guess else (None, 0.0)
        meant = f"the nearest known is {better!r}" if better else "no known label is like it"
        yield Finding(
            kind="unknown_label",
            line=number,
            detail=f"{head} {label!r} is not in the taxonomy: {meant}",
            head=head,
            label=label,
            better=better,
            score=round(likeness, 3),
        )
