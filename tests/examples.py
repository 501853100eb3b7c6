"""Messages and labellings to store, the same for every test that needs some."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from nlp_service.core.labelling import (
    CustomerTag,
    LabelConfidence,
    Labelling,
    Labels,
    Language,
    ModelIdentity,
    PiiSpan,
    Priority,
    Reason,
    Route,
    Sentiment,
    ThemeMatch,
)
from nlp_service.core.messages import Message
from nlp_service.core.stored import Window
from nlp_service.core.themes.values import Interval, Measure, Name, Part, Quote, Theme, theme_id

MODEL = ModelIdentity(name="feedback", version="1.0.0")


def message(key: str = "m-1", text: str = "说明书看不懂，打13800138000问也没人接", **fields: Any) -> Message:
    return Message(id=key, text=text, **fields)


def labelling(
    key: str = "m-1",
    *,
    text: str = "说明书看不懂，打[手机]问也没人接",
    intent: str = "product_usage",
    sentiment: str = "negative",
    score: float = -0.5,
    priority: str = "normal",
    department: str = "tech_support",
    flags: Sequence[str] = ("repeat_contact",),
    needs_human: Sequence[str] = (),
    model: ModelIdentity = MODEL,
    size: int = 16,
) -> Labelling:
    random = np.random.default_rng(zlib.crc32(f"{key}{model.version}".encode()))
    vector = random.standard_normal(size).astype(np.float32)
    return Labelling(
        message_id=key,
        labels=Labels(
            intent=LabelConfidence(label=intent, confidence=0.93),
            alternatives=(LabelConfidence(label="product_defect", confidence=0.04),),
            sentiment=Sentiment(label=sentiment, score=score, confidence=0.9),
            emotion=LabelConfidence(label="confusion", confidence=0.81),
            flags=tuple(LabelConfidence(label=flag, confidence=0.88) for flag in flags),
            urgency=LabelConfidence(label=priority, confidence=0.7),
            out_of_scope=0.02,
        ),
        language=Language(code="zh", script="Hans", confidence=0.99, supported=True),
        priority=Priority(
            level=priority, respond_within_minutes=60, reasons=(Reason(rule="default", because="no rule decided"),)
        ),
        route=Route(department=department, reason=f"intent {intent}"),
        needs_human=tuple(needs_human),
        pii=(PiiSpan(kind="mobile", start=8, end=19),),
        masked_text=text,
        truncated=False,
        model=model,
        embedding=vector / np.float32(np.linalg.norm(vector)),
        customer_tags=(CustomerTag(tag="loyal", reasons=("40 messages",)),),
        themes=(ThemeMatch(theme_id="thm_1", title="说明书看不懂", similarity=0.9),),
    )


def theme(title: str, *, departments: Sequence[str] = ("aftersales",), at: datetime | None = None) -> Theme:
    """Return a theme with the numbers of one window."""
    end = at or datetime.now(UTC)
    window = Window(start=end - timedelta(days=7), end=end)
    share = Interval(value=0.117, low=0.059, high=0.202)
    quotes = tuple(Quote(message_id=f"q-{number}", text=f"{title}，第{number}次了") for number in (1, 2, 3))
    return Theme(
        id=theme_id(title),
        name=Name(title=title, phrases=(title[:3], "看不懂"), quotes=quotes, language="zh"),
        state="new",
        intents=(Part(name="product_usage", share=0.8), Part(name="product_info", share=0.2)),
        departments=tuple(departments),
        first_seen=window.start,
        last_seen=end,
        created_at=end,
        measure=Measure(window=window, messages=14, counted=12, customers=9, share=share, daily=(0, 1, 1, 2, 2, 3, 3)),
    )
