"""Reading the sets of ``../shared/corpora`` into examples."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlp_service.contract.corpus import parse_record
from nlp_service.contract.inputs import compose
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.errors import CorpusError
from training.data.catalogue import CLINC_IN_SCOPE, SERVED, SHARED_HEADS, SPECS, SetSpec
from training.data.examples import COARSE_SENTIMENT, SENTIMENT_STEPS, Example, bucket, content_key, from_record, moved
from training.data.splits import SHORT

log = logging.getLogger(__name__)

SPEAKERS = {"user": "顾客: ", "agent": "客服: ", "customer": "顾客: ", "helpdesk": "客服: "}
MIN_OUT_OF_SCOPE = 4  # characters: shorter ones say nothing about the scope


class Heads:
    """Names and classes of the auxiliary heads, numbered as they are met."""

    def __init__(self, classes: dict[str, dict[str, int]] | None = None) -> None:
        self.classes = classes or {}

    def index(self, head: str, label: str) -> int:
        classes = self.classes.setdefault(head, {})
        return classes.setdefault(label, len(classes))

    def sizes(self) -> dict[str, int]:
        return {head: len(classes) for head, classes in self.classes.items()}


def missing_sets(corpora: Path, names: Sequence[str]) -> list[str]:
    """Names of the sets whose training file is not there."""
    return [name for name in names if not (corpora / name / "train.jsonl").is_file()]


def read_service(
    path: Path,
    taxonomy: Taxonomy,
    intent_field: str = "intent",
    outside: str | None = None,
    moves: Mapping[str, str] | None = None,
) -> list[Example]:
    """Read messages labelled in our own contract, or another corpus whose intents the taxonomy knows.

    An intent equal to ``outside`` marks a text that is out of scope.
    """
    examples = []
    for number, row in enumerate(read_jsonl(path), 1):
        intent = row.get(intent_field)
        known = {**row, "intent": None if intent == outside else intent}
        record = moved(parse_record(known, where=f"{path}:{number}"), moves or {})
        if record.intent is not None and record.intent not in taxonomy.intents:
            raise CorpusError(f"{path}:{number}: intent {record.intent!r} is not in the taxonomy")
        example = from_record(record, taxonomy)
        examples.append(replace(example, scope=1) if outside is not None and intent == outside else example)
    return examples


def read_set(corpora: Path, name: str, taxonomy: Taxonomy, heads: Heads, limit: int | None = None) -> list[Example]:
    """Read one public training file; raises CorpusError for a set that the catalogue does not know."""
    if name not in SPECS:
        raise CorpusError(f"set {name!r} is not in the catalogue; known: {', '.join(sorted(SPECS))}")
    spec = SPECS[name]
    rows = list(read_jsonl(corpora / name / "train.jsonl"))
    if limit is not None and len(rows) > limit:
        rows.sort(key=lambda row: bucket(row["text"], 1 << 30, seed="sample"))
        rows = rows[:limit]
    return [example for row in rows for example in _examples(row, spec, taxonomy, heads)]


def read_jsonl(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, 1):
            try:
                yield json.loads(line)
            except ValueError as exc:
                raise CorpusError(f"{path}:{number}: not JSON: {exc}") from exc


def _examples(row: dict[str, Any], spec: SetSpec, taxonomy: Taxonomy, heads: Heads) -> Iterator[Example]:
    lang = str(row.get("lang", "zh")).split("-")[0]
    label = row.get("label")
    if label in spec.skip_labels or (spec.languages and lang not in spec.languages):
        return
    turns = [f"客服: {row[spec.context_field]}"] if spec.context_field and row.get(spec.context_field) else []
    values = {} if spec.raw else _labels(row, spec, taxonomy, heads)
    for name in spec.fields:
        text, context = compose(row[name], turns)
        if text:
            yield Example(
                text=text,
                context=context,
                lang=lang,
                source=spec.name,
                group=row.get("dialogue") or content_key(text) or text,
                **values,
            )


def _labels(row: dict[str, Any], spec: SetSpec, taxonomy: Taxonomy, heads: Heads) -> dict[str, Any]:
    values: dict[str, Any] = {}
    label = str(row.get("label"))
    if spec.sentiment and label in COARSE_SENTIMENT:
        values["sentiment"] = COARSE_SENTIMENT[label]
        values["scope"] = None
    if label in spec.emotions:
        values["emotion"] = taxonomy.emotions.index(spec.emotions[label])
    if spec.intents.get(label) in taxonomy.intents:
        values["intent"] = {list(taxonomy.intents).index(spec.intents[label]): 1.0}
    if spec.auxiliary and row.get(spec.auxiliary) is not None:
        head = SHARED_HEADS.get(spec.name, spec.name)
        values["auxiliary"] = {head: heads.index(head, str(row[spec.auxiliary]))}
    if spec.out_of_scope and len(row["text"]) >= MIN_OUT_OF_SCOPE:
        values["scope"] = int(row.get("domain") not in CLINC_IN_SCOPE or spec.name != "clinc150_oos")
    elif spec.intents:
        values["scope"] = 0
    return values


def read_dialogues(corpora: Path, name: str, held_back: set[str], *, every_split: bool = False) -> list[Example]:
    """Read every turn of whole conversations with the two turns before it, leaving out held-back conversations."""
    examples = []
    for row in read_jsonl(corpora / name / "dialogues.jsonl"):
        if row["id"] in held_back or (row.get("split", "train") != "train" and not every_split):
            continue
        turns = [SPEAKERS.get(turn["speaker"], "") + turn["text"] for turn in row["turns"]]
        for i, turn in enumerate(row["turns"]):
            text, context = compose(turn["text"], turns[max(0, i - 2) : i])
            if text:
                examples.append(Example(text=text, context=context, source=name, group=row["id"]))
    return examples


def read_questions(corpora: Path, name: str) -> list[Example]:
    """Read single questions whose turns before have no speaker: the last two, as `前文: …`."""
    examples = []
    for row in read_jsonl(corpora / name / "train.jsonl"):
        before = [turn for turn in row.get("context_unattributed") or () if turn != row["text"]]
        text, context = compose(row["text"], [f"前文: {turn}" for turn in before[-2:]])
        if text:
            examples.append(Example(text=text, context=context, source=name, group=row.get("dialogue") or text))
    return examples


def held_back_keys(corpora: Path) -> tuple[set[str], set[str]]:
    """Return (content keys of long texts, dialogue ids) of every development and test file."""
    keys: set[str] = set()
    dialogues: set[str] = set()
    for path in sorted(corpora.glob("*/*.jsonl")):
        if not any(word in path.name for word in ("dev", "test")):
            continue
        for row in read_jsonl(path):
            key = content_key(row["text"])
            if len(key) >= SHORT:
                keys.add(key)
            if row.get("dialogue"):
                dialogues.add(row["dialogue"])
    return keys, dialogues


def every_text(corpora: Path) -> Iterator[str]:
    """Normalised texts of all training files in the served languages: the vocabulary is chosen on them."""
    for path in sorted(corpora.glob("*/train.jsonl")) + sorted(corpora.glob("*/dialogues.jsonl")):
        if path.parent.name == "cped":
            continue
        for row in read_jsonl(path):
            if str(row.get("lang", "zh")).split("-")[0] not in SERVED:
                continue
            for text in [row.get("text", ""), row.get("text2", ""), *(turn["text"] for turn in row.get("turns", ()))]:
                if text:
                    yield compose(text)[0]


assert SENTIMENT_STEPS == 5  # COARSE_SENTIMENT names its steps
