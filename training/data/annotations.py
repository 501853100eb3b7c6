"""Labels without text: our annotations of public messages, joined with the text where its owner's copy lies.

A line holds the SHA-256 of message and context, the set it comes from and the labels. The text never enters the
repository.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from nlp_service.contract.corpus import Record
from nlp_service.contract.taxonomy import Taxonomy
from training.data.examples import Example, from_record

log = logging.getLogger(__name__)

LABELS = ("intent", "intent2", "sentiment", "emotion", "flags", "priority")


def fingerprint(text: str, context: str = "") -> str:
    """Key of a normalised message and its normalised context."""
    return hashlib.sha256(f"{text}\x1f{context}".encode()).hexdigest()[:32]


def write_annotations(rows: Iterable[tuple[Example, dict[str, Any]]], path: Path) -> int:
    """Write key, source, conversation and labels of each (example, labels); returns how many."""
    count = 0
    with path.open("w", encoding="utf-8") as stream:
        for example, labels in rows:
            line = {
                "key": fingerprint(example.text, example.context),
                "source": example.source,
                "dialogue": example.group,
            }
            line |= {name: labels[name] for name in LABELS if labels.get(name) is not None}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")
            count += 1
    return count


def join_annotations(path: Path, texts: Iterable[Example], taxonomy: Taxonomy) -> tuple[list[Example], int]:
    """Return the annotated examples whose text is among ``texts``, and how many annotations found none."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    by_key = {fingerprint(example.text, example.context): example for example in texts}
    found = []
    for row in rows:
        example = by_key.get(row["key"])
        if example is None:
            continue
        labels = {name: row.get(name) for name in LABELS}
        labels["flags"] = tuple(labels["flags"] or ())
        labelled = from_record(Record(text=example.text, lang=example.lang, source=example.source, **labels), taxonomy)
        found.append(replace(labelled, text=example.text, context=example.context, group=row["dialogue"]))
    return found, len(rows) - len(found)
