"""What the store gives back: messages with their labellings, pages for mining, counts for reports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from nlp_service.core.history import PastMessage
from nlp_service.core.labelling import FloatArray, Labelling, ModelIdentity
from nlp_service.core.messages import Message


@dataclass(frozen=True, kw_only=True)
class Window:
    """A span of time, its end not included; compared with when messages were sent (else received)."""

    start: datetime  # aware
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"window {self.start.isoformat()} to {self.end.isoformat()} has no time zone")
        if self.end < self.start:
            raise ValueError(f"window ends at {self.end.isoformat()}, before its start {self.start.isoformat()}")


@dataclass(frozen=True, kw_only=True)
class StoredMessage:
    message: Message  # text and context masked
    received_at: datetime
    occurred_at: datetime  # sent, or received where the hub gave no time
    labellings: tuple[Labelling, ...]  # newest first: the first is the current one

    def as_past(self, priority: str | None = None) -> PastMessage:
        """Return the message as a customer's history holds it, by its current labelling."""
        current = self.labellings[0]
        return PastMessage(
            message_id=self.message.id,
            at=self.occurred_at,
            intent=current.labels.intent.label,
            sentiment=current.labels.sentiment.label,
            sentiment_score=current.labels.sentiment.score,
            flags=tuple(flag.label for flag in current.labels.flags),
            priority=priority or current.priority.level,
        )


@dataclass(frozen=True, kw_only=True)
class LabelledMessage:
    """The columns of a message and its labelling that mining and measuring need."""

    message_id: str
    occurred_at: datetime
    text: str  # masked
    text_hash: str  # equal for equal normalised texts
    channel: str | None
    customer_id: str | None
    customer_tier: str | None
    product: str | None
    region: str | None
    language: str
    intent: str
    intent_confidence: float
    sentiment: str
    sentiment_score: float
    emotion: str
    flags: tuple[str, ...]
    priority: str
    department: str
    needs_human: bool
    out_of_scope: float


@dataclass(frozen=True, kw_only=True)
class LabelledPage:
    model: ModelIdentity  # whose embeddings these are; those of two models are not comparable
    messages: tuple[LabelledMessage, ...]
    embeddings: FloatArray  # (n, d), unit norm up to float16 rounding


@dataclass(frozen=True, kw_only=True)
class HourCount:
    """Messages of one hour by their current labellings."""

    hour: datetime  # aware, its start
    messages: int
    negative: int
    urgent: int
    human: int  # sent to people


@dataclass(frozen=True, kw_only=True)
class GroupCount:
    """Messages of one department and one channel or intent by their current labellings."""

    department: str
    value: str | None  # the channel or intent; None: the hub named no channel
    messages: int
    negative: int
    urgent: int
    human: int
