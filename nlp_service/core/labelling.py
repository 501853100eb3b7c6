"""A labelling: one model's opinion of one message, with everything decided from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scores:
    """What the encoder says of n messages: logits per head, before calibration."""

    intent: FloatArray  # (n, intents)
    sentiment: FloatArray  # (n, 5)
    emotion: FloatArray  # (n, emotions)
    flags: FloatArray  # (n, flags)
    priority: FloatArray  # (n, priorities)
    scope: FloatArray  # (n,) out-of-scope logit
    embedding: FloatArray  # (n, d), unit norm
    truncated: npt.NDArray[np.bool_]  # (n,)

    def __len__(self) -> int:
        return len(self.intent)


@dataclass(frozen=True, kw_only=True)
class LabelConfidence:
    label: str
    confidence: float  # calibrated probability


@dataclass(frozen=True, kw_only=True)
class Sentiment:
    label: str
    score: float  # expectation of the ordinal value scaled to [-1, 1]
    confidence: float


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Calibrated labels of one message."""

    intent: LabelConfidence
    alternatives: tuple[LabelConfidence, ...]  # further intents, most probable first
    sentiment: Sentiment
    emotion: LabelConfidence
    flags: tuple[LabelConfidence, ...]  # those set
    urgency: LabelConfidence  # the model's priority, a fact that the policy weighs
    out_of_scope: float  # calibrated probability
    provisional: bool = False  # the intent is one that people added and no model was trained on yet


@dataclass(frozen=True, kw_only=True)
class Language:
    code: str  # ISO 639-1, or "und"
    script: str  # ISO 15924
    confidence: float
    supported: bool


@dataclass(frozen=True, kw_only=True)
class PiiSpan:
    kind: str
    start: int  # offsets in the text as it was sent
    end: int


@dataclass(frozen=True, kw_only=True)
class Reason:
    rule: str
    because: str


@dataclass(frozen=True, kw_only=True)
class Priority:
    level: str
    respond_within_minutes: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, kw_only=True)
class Route:
    department: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class CustomerTag:
    """A lasting trait read off a customer's stored history, e.g. high_complaint_risk."""

    tag: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ThemeMatch:
    theme_id: str
    title: str
    similarity: float


@dataclass(frozen=True, kw_only=True)
class ModelIdentity:
    name: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Labelling:
    message_id: str
    labels: Labels
    language: Language
    priority: Priority
    route: Route
    needs_human: tuple[str, ...]  # reasons: low_confidence, out_of_scope, unsupported_language, no_words; empty = no
    pii: tuple[PiiSpan, ...]
    masked_text: str
    truncated: bool
    model: ModelIdentity
    embedding: FloatArray = field(repr=False)  # (d,), unit norm
    customer_tags: tuple[CustomerTag, ...] = ()
    themes: tuple[ThemeMatch, ...] = ()
    created_at: datetime | None = None  # aware; set when stored
