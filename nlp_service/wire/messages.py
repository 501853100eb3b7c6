"""The request of /classify."""

from __future__ import annotations

import uuid
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, StringConstraints, ValidationError

from nlp_service.core.messages import MAX_BATCH, MAX_CONTEXT_TURNS, MAX_TEXT_LENGTH, Message
from nlp_service.errors import InvalidMessage

Text = Annotated[str, StringConstraints(min_length=1, max_length=MAX_TEXT_LENGTH, pattern=r"\S")]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=200)]

EXAMPLE_MESSAGE: dict[str, JsonValue] = {
    "id": "hub-1",
    "text": "都催了三次了，快递到现在一动不动，你们到底管不管？",
    "context": ["顾客: 我的冰箱什么时候送到", "客服: 亲，正在为您加急处理"],
    "channel": "wechat",
    "customer_id": "c-1001",
    "customer_tier": "vip",
    "product": "冰箱 BX-300",
    "region": "华南",
    "sent_at": "2026-11-20T10:15:00+08:00",
    "amount": 2999.0,
}


class MessageIn(BaseModel):
    """One customer message with what the hub knows about it. Only `text` is required."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_MESSAGE})

    text: Text = Field(description="What the customer said, as it came; read whole, at most 100,000 characters.")
    id: ShortText | None = Field(
        None, description="The hub's id. Sent twice, the message is answered again and stored once."
    )
    context: list[Annotated[str, StringConstraints(max_length=10_000)]] = Field(
        default_factory=list,
        max_length=MAX_CONTEXT_TURNS,
        description="Up to two turns before, oldest first, each beginning with `顾客: ` or `客服: `.",
    )
    channel: ShortText | None = Field(None, description="Where it came from, e.g. wechat, phone, app, email, review.")
    customer_id: ShortText | None = Field(None, description="Joins the messages of one customer.")
    customer_tier: ShortText | None = Field(None, description="E.g. vip: priority goes one step up by default.")
    product: ShortText | None = Field(None, description="Product that the message is about.")
    region: ShortText | None = Field(None, description="Region of the customer.")
    sent_at: AwareDatetime | None = Field(None, description="ISO 8601 with time zone; time of arrival by default.")
    amount: float | None = Field(
        None, ge=0, le=1e12, allow_inf_nan=False, description="Yuan of the order that the message is about."
    )

    def to_message(self) -> Message:
        return Message(
            text=self.text,
            id=self.id or f"msg_{uuid.uuid4().hex}",
            context=tuple(self.context),
            channel=self.channel,
            customer_id=self.customer_id,
            customer_tier=self.customer_tier,
            product=self.product,
            region=self.region,
            sent_at=self.sent_at,
            amount=self.amount,
        )


_FIELDS = frozenset(MessageIn.model_fields)


class BatchIn(BaseModel):
    """Up to 256 messages, answered in the same order."""

    model_config = ConfigDict(extra="forbid")

    messages: list[MessageIn] = Field(min_length=1, max_length=MAX_BATCH, description="1 to 256 messages.")


def parse_message(raw: object) -> tuple[Message, tuple[str, ...]]:
    """Build a message from one parsed line of a file; returns it with the unknown fields passed over.

    Raises:
        InvalidMessage: not an object, or a field breaks the schema; the fields are named.
    """
    if not isinstance(raw, dict):
        raise InvalidMessage(f"expected a JSON object, got {type(raw).__name__}")
    known = {key: value for key, value in raw.items() if key in _FIELDS and value is not None}
    unknown = tuple(sorted(str(key) for key in raw if key not in _FIELDS))
    try:
        return MessageIn.model_validate(known).to_message(), unknown
    except ValidationError as exc:
        faults = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in exc.errors()[:5])
        raise InvalidMessage(faults, field=str(exc.errors()[0]["loc"][0])) from exc
