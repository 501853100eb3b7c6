"""The compact formats that people write by hand: labelled messages of our own, and labels of numbered texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nlp_service.contract.corpus import Record
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.errors import CorpusError

EMOTIONS = {"n": "neutral", "c": "confusion", "x": "anxiety", "d": "disappointment", "a": "anger", "j": "joy"}
PRIORITIES = {"u": "urgent", "n": "normal", "l": "low"}
FLAGS = {
    "safety": "safety_hazard",
    "esc": "escalation_threat",
    "comp": "compensation_demand",
    "churn": "churn_risk",
    "repeat": "repeat_contact",
    "fraud": "fraud_suspicion",
}


def read_written(path: Path, lang: str, taxonomy: Taxonomy) -> Iterator[Record]:
    """Yield the messages of a file of ``## intent`` sections.

    A line is ``sentiment | emotion | priority | flags | intent2 | text [| turn [| turn]]``.

    Raises:
        CorpusError: a line or label that cannot be read; file and line are named.
    """
    intent = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{path}:{number}"
        if line.startswith("## "):
            intent = _known(line[3:].strip(), taxonomy, where)
        elif line.strip():
            parts = [part.strip() for part in line.split(" | ")]
            if intent is None or not 6 <= len(parts) <= 8:
                raise CorpusError(f"{where}: expected '## intent' before and 6 to 8 fields, got {len(parts)}")
            text, turns = parts[5], tuple(turn for turn in parts[6:] if turn)
            digest = hashlib.sha256(f"{lang}{text}{turns}".encode()).hexdigest()[:12]
            yield Record(
                id=f"own-{lang}-{digest}",
                text=text,
                context=turns,
                lang=lang,
                source="own",
                licence="Apache-2.0",
                intent=intent,
                **_labels(parts[0], parts[1], parts[2], parts[3], parts[4], taxonomy, where),
            )


def read_labels(path: Path, taxonomy: Taxonomy) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (number of the text, labels) of lines ``number intent sentiment emotion priority flags intent2``."""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        parts = line.split()
        if len(parts) != 7:
            raise CorpusError(f"{where}: expected 7 fields, got {len(parts)}")
        labels = _labels(parts[2], parts[3], parts[4], parts[5], parts[6], taxonomy, where)
        yield int(parts[0]), {"intent": _known(parts[1], taxonomy, where), **labels}


def _labels(
    sentiment: str, emotion: str, priority: str, flags: str, second: str, taxonomy: Taxonomy, where: str
) -> dict[str, Any]:
    try:
        return {
            "sentiment": int(sentiment),
            "emotion": EMOTIONS[emotion],
            "priority": PRIORITIES[priority],
            "flags": () if flags == "-" else tuple(FLAGS[flag.strip()] for flag in flags.split(",")),
            "intent2": None if second == "-" else _known(second, taxonomy, where),
        }
    except (KeyError, ValueError) as exc:
        raise CorpusError(f"{where}: label {exc} is not known") from exc


def _known(intent: str, taxonomy: Taxonomy, where: str) -> str:
    if intent not in taxonomy.intents:
        raise CorpusError(f"{where}: intent {intent!r} is not in the taxonomy")
    return intent
