"""One training example: two segments and what labels it."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from nlp_service.contract.corpus import Record
from nlp_service.contract.inputs import compose
from nlp_service.contract.taxonomy import Taxonomy

SECOND_INTENT_SHARE = 0.3  # of the target's mass, where a message carries a second matter
SENTIMENT_STEPS = 5
COARSE_SENTIMENT = {"negative": (0, 1), "neutral": (2,), "positive": (3, 4)}


@dataclass(frozen=True, kw_only=True)
class Example:
    """What the model reads and what each head may learn from it; a missing label is masked in the loss."""

    text: str  # segment A, normalised
    context: str = ""  # segment B, normalised
    lang: str = "zh"
    source: str = ""
    group: str = ""  # conversation; never split between training and validation
    intent: Mapping[int, float] | None = None  # taxonomy index -> share of the target
    sentiment: tuple[int, ...] | None = None  # the steps 0 … 4 that agree with the label
    emotion: int | None = None
    flags: tuple[int, ...] | None = None
    priority: int | None = None
    scope: int | None = None  # 1: no message to a service
    auxiliary: Mapping[str, int] = field(default_factory=dict)  # head name -> class


def moved(record: Record, moves: Mapping[str, str]) -> Record:
    """Return the record with renamed and merged intents in today's names."""
    second = moves.get(record.intent2 or "", record.intent2)
    return replace(record, intent=moves.get(record.intent or "", record.intent), intent2=second)


def from_record(record: Record, taxonomy: Taxonomy, *, in_scope: bool = True) -> Example:
    """Encode a record of the corpus format; identifiers that the taxonomy lacks raise KeyError or ValueError."""
    text, context = compose(record.text, record.context)
    intents = list(taxonomy.intents)
    target: dict[int, float] | None = None
    if record.intent is not None:
        target = {intents.index(record.intent): 1.0}
        if record.intent2 and record.intent2 != record.intent:
            target = {
                intents.index(record.intent): 1 - SECOND_INTENT_SHARE,
                intents.index(record.intent2): SECOND_INTENT_SHARE,
            }
    return Example(
        text=text,
        context=context,
        lang=record.lang,
        source=record.source,
        group=record.dialogue or content_key(text) or text,
        intent=target,
        sentiment=None if record.sentiment is None else (record.sentiment + 2,),
        emotion=None if record.emotion is None else taxonomy.emotions.index(record.emotion),
        flags=None if record.flags is None else tuple(taxonomy.flags.index(flag) for flag in record.flags),
        priority=None if record.priority is None else list(taxonomy.priorities).index(record.priority),
        scope=0 if in_scope else None,
    )


def content_key(text: str) -> str:
    """What is left of a text for near-duplicate search: letters in lower case, every digit as 0."""
    kept = []
    for char in unicodedata.normalize("NFKC", text).lower():
        category = unicodedata.category(char)
        if category[0] == "L":
            kept.append(char)
        elif category[0] == "N":
            kept.append("0")
    return "".join(kept)


def bucket(key: str, buckets: int, seed: str = "split-1") -> int:
    """A stable number in [0, buckets) for a key."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8], "big") % buckets
