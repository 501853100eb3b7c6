"""The numbers, names and quotes of a theme as the API shows them."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class Seen(BaseModel):
    """Read off a value of the core by its attributes."""

    model_config = ConfigDict(from_attributes=True)


class IntervalOut(Seen):
    value: float = Field(description="The estimate.", examples=[0.15])
    low: float = Field(description="Lower end of its 95% interval.", examples=[0.13])
    high: float = Field(description="Upper end.", examples=[0.17])


class QuoteOut(Seen):
    message_id: str = Field(description="The message quoted.")
    text: str = Field(description="What the customer said, masked.", examples=["说明书根本看不懂"])


class ShareOut(Seen):
    name: str = Field(description="Intent or department.", examples=["product_usage"])
    share: float = Field(description="Its share of the theme.", examples=[0.8])


class NameOut(Seen):
    title: str = Field(description="What customers say.", examples=["说明书看不懂"])
    phrases: list[str] = Field(description="Key phrases, most telling first.")
    quotes: list[QuoteOut] = Field(description="Typical messages, unlike one another.")
    language: str = Field(description="Language of the title, ISO 639-1.", examples=["zh"])


class GrowthOut(Seen):
    messages: int = Field(description="Messages of the window.")
    expected: float = Field(description="What its own past leads to expect.")
    ratio: IntervalOut = Field(description="Messages to expected.")
    p: float = Field(description="One-sided p of an overdispersed count.")
    rising: bool = Field(description="Whether it survives the false discovery rate across all themes.")


class FloodOut(Seen):
    text: str = Field(description="The text that was copied, masked.")
    messages: int = Field(description="Copies, counted once.")
    customers: int = Field(description="Who sent them.")


class SplitOut(Seen):
    dimension: str = Field(description="product, region, channel, tier or hour_of_week.", examples=["region"])
    value: str = Field(description="Where it is more frequent than elsewhere.", examples=["华南"])
    messages: int = Field(description="Messages there.")
    odds: IntervalOut = Field(description="Odds ratio against all other feedback.")
    p: float = Field(description="p of the difference.")


class FixEffectOut(Seen):
    verdict: str = Field(description="worked, did_not or not_yet_known.", examples=["worked"])
    ratio: IntervalOut = Field(description="Daily rate after the fix to daily rate before.")
    days_before: int = Field(description="Days looked at before.")
    days_after: int = Field(description="Days looked at after.")
    because: str = Field(description="Why, in words.")


class WindowOut(Seen):
    start: AwareDatetime = Field(description="First moment.")
    end: AwareDatetime = Field(description="Not included.")


class MeasureOut(Seen):
    window: WindowOut = Field(description="The window measured.")
    messages: int = Field(description="Messages as they came.")
    counted: int = Field(description="Copies and repetitions of one customer counted once.")
    customers: int = Field(description="Distinct customers; a message without one counts as one.")
    share: IntervalOut = Field(description="Share of all counted feedback.")
    product_share: IntervalOut | None = Field(description="Share of the feedback about its main product.")
    product: str | None = Field(description="The main product, where most name one.")
    corrected_share: IntervalOut | None = Field(description="Share corrected for the classifier's error.")
    sentiment: float = Field(description="Mean sentiment, from -1 to 1.")
    priorities: dict[str, int] = Field(description="Messages by priority.")
    growth: GrowthOut | None = Field(description="Against its own past.")
    onset: AwareDatetime | None = Field(description="When it began to be heard of more, where that can be told.")
    splits: list[SplitOut] = Field(description="Where it stands out.")
    floods: list[FloodOut] = Field(description="Copies that were counted once.")
    daily: list[int] = Field(description="Counted messages by UTC day from the window's start.")
