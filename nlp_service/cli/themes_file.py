"""Mine a JSONL file of messages with the accepted model alone: no service, no database."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
from rich.console import Console
from rich.progress import track

from nlp_service.adapters.segmentation import Segmentation
from nlp_service.bootstrap.labeller import Labeller, open_labeller
from nlp_service.contract.text import normalise
from nlp_service.core.labelling import FloatArray, Labelling
from nlp_service.core.messages import Message
from nlp_service.core.stored import LabelledMessage, Window
from nlp_service.core.themes.mining import Setting, mine
from nlp_service.core.themes.standing import Before
from nlp_service.core.themes.values import Theme
from nlp_service.errors import InvalidMessage, NotFound
from nlp_service.settings import Settings
from nlp_service.wire.messages import parse_message

CHUNK = 512


def mine_file(settings: Settings, source: Path) -> tuple[Theme, ...]:
    """Return the themes of a file, greatest share first; the whole file is one window."""
    labeller = open_labeller(settings)
    messages = read_messages(source)
    labelled, embeddings = label(labeller, messages)
    times = [message.occurred_at for message in labelled]
    window = Window(start=min(times), end=max(times) + timedelta(seconds=1)) if times else _empty()
    setting = Setting(
        window=window,
        model=labeller.model.identity,
        routes={intent.id: intent.department for intent in labeller.taxonomy.intents.values()},
        scope_threshold=labeller.model.calibration.scope_threshold,
        run_id=f"file {source.name}",
        discovery=window.end - window.start,
    )
    mined = mine(labelled, embeddings, Before(), setting, Segmentation.load().words)
    out = sum(mined.outliers.values())
    Console(stderr=True).print(
        f"{mined.messages} messages, {mined.matter} carry a matter, {len(mined.themes)} themes, {out} in none: "
        + ", ".join(f"{reason} {n}" for reason, n in mined.outliers.items()),
        highlight=False,
    )
    return tuple(
        sorted(mined.themes, key=lambda theme: (-(theme.measure.share.value if theme.measure else 0), theme.id))
    )


def read_messages(source: Path) -> list[Message]:
    """Read messages, one JSON object a line; raises InvalidMessage naming the line."""
    if not source.is_file():
        raise NotFound(f"input file {source} does not exist")
    messages = []
    with source.open("rb") as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                try:
                    messages.append(parse_message(orjson.loads(line))[0])
                except (orjson.JSONDecodeError, InvalidMessage) as exc:
                    raise InvalidMessage(f"line {number} of {source}: {exc}") from exc
    return messages


def label(labeller: Labeller, messages: list[Message]) -> tuple[list[LabelledMessage], FloatArray]:
    """Label messages and return what mining needs of them, with embeddings (n, d)."""
    at = datetime.now(UTC)
    labelled: list[LabelledMessage] = []
    vectors: list[FloatArray] = []
    chunks = [messages[start : start + CHUNK] for start in range(0, len(messages), CHUNK)]
    console = Console(stderr=True)
    for chunk in track(chunks, description="labelling", console=console, disable=not console.is_terminal):
        for message, labelling in zip(chunk, labeller.label(chunk), strict=True):
            labelled.append(_flat(message, labelling, at))
            vectors.append(labelling.embedding)
    return labelled, np.stack(vectors) if vectors else np.zeros((0, 1), dtype=np.float32)


def _flat(message: Message, labelling: Labelling, at: datetime) -> LabelledMessage:
    labels = labelling.labels
    return LabelledMessage(
        message_id=message.id,
        occurred_at=message.sent_at or at,
        text=labelling.masked_text,
        text_hash=hashlib.blake2b(normalise(labelling.masked_text).encode(), digest_size=16).hexdigest(),
        channel=message.channel,
        customer_id=message.customer_id,
        customer_tier=message.customer_tier,
        product=message.product,
        region=message.region,
        language=labelling.language.code,
        intent=labels.intent.label,
        intent_confidence=labels.intent.confidence,
        sentiment=labels.sentiment.label,
        sentiment_score=labels.sentiment.score,
        emotion=labels.emotion.label,
        flags=tuple(flag.label for flag in labels.flags),
        priority=labelling.priority.level,
        department=labelling.route.department,
        needs_human=bool(labelling.needs_human),
        out_of_scope=labels.out_of_scope,
    )


def _empty() -> Window:
    at = datetime.now(UTC)
    return Window(start=at - timedelta(days=7), end=at)
