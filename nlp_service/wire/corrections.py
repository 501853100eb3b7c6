"""The JSON of corrections and of the review queue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nlp_service.core.corrections.precision import LabelPrecision
from nlp_service.core.corrections.settle import Agreement, Outcome, Settled
from nlp_service.core.corrections.values import CorrectedLabels, Correction
from nlp_service.core.review.values import QueuedEntry
from nlp_service.core.stored import StoredMessage

Share = tuple[float, float, float]


class LabelsIn(BaseModel):
    """What a person judged; leave out what they did not look at."""

    model_config = ConfigDict(extra="forbid")

    intent: str | None = Field(None, max_length=200, description="Intent id.", examples=["refund_status"])
    sentiment: str | None = Field(None, max_length=200, description="very_negative to very_positive.")
    emotion: str | None = Field(None, max_length=200, description="Emotion id.", examples=["anger"])
    flags: list[str] | None = Field(None, max_length=50, description="All flags that apply; [] for none.")
    priority: str | None = Field(None, max_length=200, description="Priority level.", examples=["urgent"])
    theme: str | None = Field(None, max_length=200, description="Id of the theme it belongs to, or `none`.")

    def labels(self) -> CorrectedLabels:
        values: dict[str, Any] = self.model_dump()
        if self.flags is not None:
            values["flags"] = tuple(dict.fromkeys(self.flags))
        return CorrectedLabels(**values)


class CorrectionIn(BaseModel):
    """One person's labels for one stored message."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "message_id": "hub-1",
                "labels": {"intent": "delivery_delay", "priority": "urgent"},
                "why": "third reminder",
                "reviewer": "li.na",
            }
        },
    )

    message_id: str = Field(min_length=1, max_length=200, description="The message's id.")
    labels: LabelsIn = Field(description="What the person judged.")
    why: str = Field("", max_length=2000, description="The person's reason; personal data in it is masked.")
    reviewer: str | None = Field(
        None, min_length=1, max_length=100, description="Who it was, where one key serves several people."
    )
    resolves: bool = Field(False, description="The decision of a third person where others disagree.")


class CorrectionOut(BaseModel):
    id: int = Field(description="Counts up.")
    message_id: str = Field(description="The message.")
    by: str = Field(description="Who.", examples=["key abc: li.na"])
    at: AwareDatetime = Field(description="When.")
    labels: dict[str, str | list[str]] = Field(description="What the person judged.")
    why: str = Field(description="Why.")
    resolves: bool = Field(description="Whether it decided a disagreement.")

    @classmethod
    def of(cls, made: Correction) -> CorrectionOut:
        return cls(
            id=made.id,
            message_id=made.message_id,
            by=made.by,
            at=made.at,
            labels=plain(made.labels),
            why=made.why,
            resolves=made.resolves,
        )


class OutcomeOut(BaseModel):
    state: str = Field(description="single, agreed, majority, resolved or disputed.", examples=["agreed"])
    label: str | list[str] | None = Field(description="What counts; null while disputed.")
    voices: dict[str, str | list[str]] = Field(description="Person: label.")

    @classmethod
    def of(cls, outcome: Outcome) -> OutcomeOut:
        voices = {by: _plain(label) for by, label in outcome.voices.items()}
        label = None if outcome.label is None else _plain(outcome.label)
        return cls(state=outcome.state, label=label, voices=voices)


class SettledOut(BaseModel):
    correction: CorrectionOut = Field(description="As it was stored.")
    fields: dict[str, OutcomeOut] = Field(description="What counts for the message now, by field.")

    @classmethod
    def of(cls, made: Correction, settled: Settled) -> SettledOut:
        fields = {name: OutcomeOut.of(outcome) for name, outcome in settled.fields.items()}
        return cls(correction=CorrectionOut.of(made), fields=fields)


class ReasonOut(BaseModel):
    kind: str = Field(description="Why it is worth a look.", examples=["low_confidence"])
    strength: float = Field(description="0 to 1.")
    because: str = Field(description="The figures behind it.", examples=["confidence 0.31"])


class EntryOut(BaseModel):
    message_id: str = Field(description="The message.")
    masked_text: str = Field(description="Its text, masked.")
    context: list[str] = Field(description="Turns before, masked.")
    department: str = Field(description="Where it was routed to.")
    score: float = Field(description="Sum of the reasons, weighted.")
    reasons: list[ReasonOut] = Field(description="The strongest first.")
    guess: dict[str, Any] = Field(description="What the model says: intent, confidence, alternatives, other labels.")

    @classmethod
    def of(cls, queued: QueuedEntry, stored: StoredMessage) -> EntryOut:
        entry = queued.entry
        reasons = [ReasonOut(kind=item.kind, strength=item.strength, because=item.because) for item in entry.reasons]
        return cls(
            message_id=entry.message_id,
            masked_text=stored.message.text,
            context=list(stored.message.context),
            department=entry.department,
            score=round(entry.score, 4),
            reasons=reasons,
            guess=guess(stored),
        )


class AgreementOut(BaseModel):
    messages: int = Field(description="Messages that two or more people judged.")
    share: float | None = Field(description="Of pairs of people that said the same; null without any.")
    alpha: float | None = Field(description="Krippendorff's alpha: 1 perfect, 0 as by chance.")

    @classmethod
    def of(cls, found: Agreement) -> AgreementOut:
        return cls(messages=found.messages, share=_rounded(found.share), alpha=_rounded(found.alpha))


class QueueOut(BaseModel):
    filled_at: AwareDatetime | None = Field(description="When it was put together; null while it is empty.")
    entries: list[EntryOut] = Field(description="What teaches most first.")
    agreement: AgreementOut = Field(description="How far people agree about intents.")


class LabelPrecisionOut(BaseModel):
    head: str = Field(description="intent, sentiment, emotion or priority.")
    label: str = Field(description="As the model said.")
    judged: int = Field(description="Messages that people judged.")
    right: int = Field(description="Of them, right.")
    precision: Share = Field(description="Share right, with the ends of its 95% interval.")
    instead: dict[str, int] = Field(description="What people said instead.")

    @classmethod
    def of(cls, found: LabelPrecision) -> LabelPrecisionOut:
        interval = found.precision
        return cls(
            head=found.head,
            label=found.label,
            judged=found.judged,
            right=found.right,
            precision=(round(interval.value, 4), round(interval.low, 4), round(interval.high, 4)),
            instead=dict(found.instead),
        )


class PrecisionOut(BaseModel):
    version: str = Field(description="The model version judged.")
    days: int = Field(description="Days of messages looked at.")
    sample: int = Field(description="Judged messages that are a random sample; 0: too few yet.")
    measured: list[LabelPrecisionOut] = Field(description="On the random sample: an estimate for all messages.")
    corrected: list[LabelPrecisionOut] = Field(
        description="Over everything corrected. The queue shows what is difficult, so these come out too low."
    )


def guess(stored: StoredMessage) -> dict[str, Any]:
    """Return the current labelling as plain data, confidences to four digits."""
    labelling = stored.labellings[0]
    labels = labelling.labels
    return {
        "intent": labels.intent.label,
        "confidence": round(labels.intent.confidence, 4),
        "alternatives": {item.label: round(item.confidence, 4) for item in labels.alternatives},
        "sentiment": labels.sentiment.label,
        "emotion": labels.emotion.label,
        "flags": [flag.label for flag in labels.flags],
        "priority": labelling.priority.level,
        "themes": [theme.theme_id for theme in labelling.themes],
        "model": labelling.model.version,
    }


def plain(labels: CorrectedLabels) -> dict[str, str | list[str]]:
    """Return the labels that were judged as plain data."""
    return {name: _plain(label) for name, label in labels.given().items()}


def reviewer_of(principal: str, reviewer: str | None) -> str:
    """Name a person: the key, and who used it where one key serves several."""
    return f"{principal}: {reviewer.strip()}" if reviewer and reviewer.strip() else principal


def _plain(label: str | Sequence[str]) -> str | list[str]:
    return label if isinstance(label, str) else list(label)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
