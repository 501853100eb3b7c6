"""What the store knows of a customer: the input of repeat rules and of customer tags."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class PastMessage:
    message_id: str
    at: datetime  # sent, or received where the hub gave no time; aware
    intent: str
    sentiment: str
    sentiment_score: float
    flags: tuple[str, ...]
    priority: str


@dataclass(frozen=True, kw_only=True)
class CustomerHistory:
    customer_id: str | None
    messages: tuple[PastMessage, ...] = ()  # ascending time, the current one not among them
