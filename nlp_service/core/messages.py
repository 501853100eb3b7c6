"""A message: what a customer said and what the hub knows about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

MAX_BATCH = 256  # messages in one request
MAX_CONTEXT_TURNS = 2
MAX_TEXT_LENGTH = 100_000  # characters; longer text is refused, never cut


@dataclass(frozen=True, kw_only=True)
class Message:
    text: str
    id: str  # the hub's id, or one given on arrival
    context: tuple[str, ...] = ()  # up to two turns before, oldest first
    channel: str | None = None
    customer_id: str | None = None
    customer_tier: str | None = None
    product: str | None = None
    region: str | None = None
    sent_at: datetime | None = None  # aware
    amount: float | None = None  # yuan, of the order that the message is about

    def __post_init__(self) -> None:
        if self.sent_at is not None and self.sent_at.tzinfo is None:
            raise ValueError(f"sent_at of message {self.id!r} has no time zone: {self.sent_at.isoformat()}")
