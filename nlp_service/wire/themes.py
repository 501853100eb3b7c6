"""Themes as the API shows them."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nlp_service.core.themes.values import Theme
from nlp_service.ports import LiveCount
from nlp_service.wire.theme_parts import FixEffectOut, MeasureOut, NameOut, QuoteOut, Seen, ShareOut

NOTHING = LiveCount(messages=0, customers=0)


class PartOut(Seen):
    title: str = Field(description="What the sub-theme says.")
    phrases: list[str] = Field(description="Key phrases.")
    quotes: list[QuoteOut] = Field(description="Typical messages, masked.")
    messages: int = Field(description="Messages of the run that found it.")


class ThemeOut(Seen):
    id: str = Field(description="Stays through windows, models and renaming.", examples=["thm_5f2c9a7be01d44c3a9e1"])
    title: str = Field(description="What customers say.", examples=["说明书看不懂"])
    state: str = Field(description="new, active, rising, acknowledged, fixed, recurred, quiet or dismissed.")
    name: NameOut = Field(description="Title, key phrases and typical quotes, masked.")
    intents: list[ShareOut] = Field(description="Intents that it touches, with their shares.")
    departments: list[str] = Field(description="Whom it concerns, the one that can remove the cause first.")
    products: list[str] = Field(description="Products that it is mostly about.")
    parts: list[PartOut] = Field(description="Sub-themes, where it is large and mixed.")
    first_seen: AwareDatetime = Field(description="First message.")
    last_seen: AwareDatetime = Field(description="Newest message of the last run.")
    created_at: AwareDatetime = Field(description="End of the window in which it was found.")
    parent: str | None = Field(description="The theme that it was split off from.")
    merged_into: str | None = Field(description="The theme that it goes on as.")
    named_by: str | None = Field(description="Who gave the title; null: found by the service.")
    pinned: bool = Field(description="Kept in sight even when quiet.")
    acknowledged_by: str | None = Field(description="Who took it on.")
    acknowledged_at: datetime | None = Field(description="When.")
    fixed_by: str | None = Field(description="Who said that it is fixed.")
    fixed_at: datetime | None = Field(description="As of when.")
    fixed_what: str | None = Field(description="What was done.")
    dismissed_by: str | None = Field(description="Who silenced it.")
    fix: FixEffectOut | None = Field(description="Before against after the fix.")
    measure: MeasureOut | None = Field(description="Numbers of the newest window, with 95% intervals.")
    live_messages: int = Field(0, description="Messages of the last seven days up to this moment, as they came.")
    live_customers: int = Field(0, description="Their distinct customers.")

    @classmethod
    def of(cls, theme: Theme, live: LiveCount = NOTHING) -> ThemeOut:
        shown = cls.model_validate(theme)
        return shown.model_copy(update={"live_messages": live.messages, "live_customers": live.customers})


class HeardOut(Seen):
    message_id: str = Field(description="The message.")
    text: str = Field(description="What the customer said, masked.")
    occurred_at: AwareDatetime = Field(description="When it was sent, or arrived.")
    channel: str | None = Field(description="Where it came from.")
    product: str | None = Field(description="Product that it is about.")
    region: str | None = Field(description="Region of the customer.")
    similarity: float = Field(description="Cosine to the theme.")


class MineIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    days: int = Field(7, ge=1, le=366, description="Days up to now that the numbers are about.")


class DecisionIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    by: str | None = Field(None, max_length=200, description="Who decides; the key's name by default.")


class AcknowledgeIn(DecisionIn):
    pass


class FixIn(DecisionIn):
    what: str | None = Field(None, max_length=500, description="What was done.", examples=["新版说明书上线"])
    at: AwareDatetime | None = Field(None, description="As of when; now by default.")


class DismissIn(DecisionIn):
    why: str | None = Field(None, max_length=500, description="Why nobody needs to hear of it.")


class RenameIn(DecisionIn):
    title: str = Field(min_length=1, max_length=200, description="The new title; later runs keep it.")


class PinIn(BaseModel):
    model_config = ConfigDict(extra="forbid")

    pinned: bool = Field(True, description="False takes the pin off.")


class MergeIn(DecisionIn):
    into: str = Field(max_length=200, description="The theme that goes on.")


class SplitIn(DecisionIn):
    part: int = Field(ge=0, description="Index of the sub-theme that becomes a theme of its own.")
