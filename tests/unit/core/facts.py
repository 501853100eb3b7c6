"""Builders of labels and facts for the tests of decisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.core.labelling import LabelConfidence, Labels, Language, Sentiment
from nlp_service.core.messages import Message
from nlp_service.core.policy import Facts

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
SCORES = {"very_negative": -0.9, "negative": -0.5, "neutral": 0.0, "positive": 0.5, "very_positive": 0.9}
CHINESE = Language(code="zh", script="Hans", confidence=0.99, supported=True)


def sure(label: str, confidence: float = 0.9) -> LabelConfidence:
    return LabelConfidence(label=label, confidence=confidence)


def labels(
    intent: str = "delivery_tracking",
    *,
    sentiment: str = "neutral",
    score: float | None = None,
    emotion: str = "neutral",
    flags: Sequence[str] = (),
    urgency: str = "normal",
    urgency_confidence: float = 0.5,
    confidence: float = 0.9,
    out_of_scope: float = 0.0,
) -> Labels:
    return Labels(
        intent=sure(intent, confidence),
        alternatives=(),
        sentiment=Sentiment(label=sentiment, score=SCORES[sentiment] if score is None else score, confidence=0.9),
        emotion=sure(emotion),
        flags=tuple(sure(flag, 0.88) for flag in flags),
        urgency=sure(urgency, urgency_confidence),
        out_of_scope=out_of_scope,
    )


def past(
    days: float, intent: str = "delivery_tracking", *, sentiment: str = "neutral", flags: Sequence[str] = ()
) -> PastMessage:
    """Return a message of some days before NOW."""
    return PastMessage(
        message_id=f"{intent}-{days}",
        at=NOW - timedelta(days=days),
        intent=intent,
        sentiment=sentiment,
        sentiment_score=SCORES[sentiment],
        flags=tuple(flags),
        priority="normal",
    )


def history(*messages: PastMessage) -> CustomerHistory:
    return CustomerHistory(customer_id="c-1", messages=tuple(sorted(messages, key=lambda message: message.at)))


def facts(
    said: Labels,
    *,
    before: CustomerHistory | None = None,
    tier: str | None = None,
    amount: float | None = None,
    product: str | None = None,
    region: str | None = None,
    channel: str | None = None,
    language: Language = CHINESE,
) -> Facts:
    message = Message(
        text="text",
        id="m-1",
        customer_id="c-1",
        customer_tier=tier,
        amount=amount,
        product=product,
        region=region,
        channel=channel,
    )
    return Facts(
        labels=said, message=message, language=language, history=before if before is not None else history(), at=NOW
    )
