"""Streams of labelled messages with themes planted in them; embeddings are drawn around the themes' centres."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from nlp_service.core.labelling import FloatArray
from nlp_service.core.stored import LabelledMessage
from nlp_service.core.themes.space import unit

SIZE = 64
SPREAD = 0.6
REGIONS = ("华东", "华南", "华北", "西南")


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A theme: its wordings and how much of each day's feedback it is."""

    wordings: Sequence[str]
    share: Callable[[int], float]  # of day i
    intent: str = "product_usage"
    region: str | None = None
    copies: bool = False  # one text, many times
    product: str | None = None


@dataclass(frozen=True, kw_only=True)
class Stream:
    messages: list[LabelledMessage] = field(default_factory=list)
    embeddings: FloatArray = field(default_factory=lambda: np.zeros((0, SIZE), dtype=np.float32))
    truth: list[int] = field(default_factory=list)  # planted theme of each message, -1 for background


def draw(planted: Sequence[Planted], *, start: datetime, days: int, per_day: int, seed: int = 0) -> Stream:
    """Draw a stream: background of 15 matters and noise, and the planted themes at their shares."""
    random = np.random.default_rng(seed)
    world = np.random.default_rng(99)  # the centres are the same for every seed
    cone = 3 * unit(world.standard_normal((1, SIZE)))[0]
    centres = unit(world.standard_normal((15 + len(planted), SIZE)))
    messages, rows, truth = [], [], []
    for day in range(days):
        shares = np.array([theme.share(day) for theme in planted])
        for _ in range(random.poisson(per_day)):
            pick = random.random()
            which = int(np.searchsorted(np.cumsum(shares), pick)) if len(shares) else 0
            is_planted = len(shares) > 0 and pick < shares.sum()
            topic = which + 15 if is_planted else int(random.integers(0, 20))
            centre = centres[topic] if topic < 15 or is_planted else unit(random.standard_normal((1, SIZE)))[0]
            number = len(messages)
            at = start + timedelta(days=day, seconds=float(random.random() * 86_399))
            theme = planted[which] if is_planted else None
            messages.append(_message(number, at, theme, topic, random))
            noise = 0.0 if theme and theme.copies else SPREAD
            rows.append(unit((centre + noise * unit(random.standard_normal((1, SIZE)))[0])[None])[0] + cone)
            truth.append(which if is_planted else -1)
    embeddings = unit(np.stack(rows)) if rows else np.zeros((0, SIZE), dtype=np.float32)
    return Stream(messages=messages, embeddings=embeddings, truth=truth)


def _message(
    number: int, at: datetime, theme: Planted | None, topic: int, random: np.random.Generator
) -> LabelledMessage:
    text = f"关于第{topic}类业务想咨询{chr(0x4E00 + number % 5000)}{chr(0x5E00 + number % 3000)}怎么办理"
    if theme is not None:
        text = theme.wordings[0 if theme.copies else int(random.integers(len(theme.wordings)))]
        text += "" if theme.copies else f"，{chr(0x4E00 + number % 5000)}{chr(0x5E00 + number % 3000)}"
    region = theme.region if theme and theme.region and random.random() < 0.9 else None
    return LabelledMessage(
        message_id=f"m-{number:06d}",
        occurred_at=at,
        text=text,
        text_hash=text,
        channel="app",
        customer_id=f"c-{int(random.integers(10**9))}",
        customer_tier=None,
        product=theme.product if theme else None,
        region=region or str(random.choice(REGIONS)),
        language="zh",
        intent=theme.intent if theme else "product_info",
        intent_confidence=0.9,
        sentiment="negative",
        sentiment_score=-0.5,
        emotion="confusion",
        flags=(),
        priority="normal",
        department="tech_support",
        needs_human=False,
        out_of_scope=0.01,
    )
