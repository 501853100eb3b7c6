"""The answer of /classify; field names are a contract."""

from __future__ import annotations

from pydantic import BaseModel, Field


class LabelOut(BaseModel):
    label: str = Field(description="Identifier of the taxonomy.", examples=["delivery_delay"])
    confidence: float = Field(description="Calibrated probability.", examples=[0.93])


class IntentOut(LabelOut):
    name: str = Field(description="Display name.", examples=["物流慢与催发货"])
    group: str = Field(description="Group of the intent.", examples=["delivery"])
    provisional: bool = Field(False, description="There, and true, where people added the intent with a few examples.")
    alternatives: list[LabelOut] = Field(description="Further intents, most probable first.")


class SentimentOut(LabelOut):
    score: float = Field(description="Expectation of the five steps, from -1 to 1.", examples=[-0.71])


class LanguageOut(BaseModel):
    code: str = Field(description="ISO 639-1 code, or und where it is not clear.", examples=["zh"])
    script: str = Field(description="ISO 15924 code.", examples=["Hans"])
    confidence: float = Field(description="Confidence of the language.", examples=[0.99])


class ReasonOut(BaseModel):
    rule: str = Field(description="Id of the policy rule.", examples=["repeat_contact_unsolved"])
    because: str = Field(description="The facts that made it fire.")


class PriorityOut(BaseModel):
    level: str = Field(description="urgent, normal or low.", examples=["urgent"])
    respond_within_minutes: int = Field(description="Time until a person should have responded.", examples=[5])
    reasons: list[ReasonOut] = Field(description="Which rule fired on which fact.")


class RouteOut(BaseModel):
    department: str = Field(description="Who can close the case.", examples=["logistics"])
    reason: str = Field(description="Why this department.", examples=["intent delivery_delay"])


class NeedsHumanOut(BaseModel):
    value: bool = Field(description="True where a person must look.")
    reasons: list[str] = Field(
        description="low_confidence, provisional_intent, out_of_scope, unsupported_language, unclear_language, "
        "no_words."
    )


class ThemeOut(BaseModel):
    id: str = Field(description="Theme id.", examples=["thm_01HX"])
    title: str = Field(description="Theme title.", examples=["说明书看不懂"])
    similarity: float = Field(description="Cosine to the theme's centre.", examples=[0.86])


class PiiOut(BaseModel):
    kind: str = Field(description="Kind of personal data.", examples=["mobile"])
    start: int = Field(description="First character, counted in the text as sent.")
    end: int = Field(description="One past the last character.")


class CustomerTagOut(BaseModel):
    tag: str = Field(description="high_complaint_risk, churn_risk or loyal.")
    reasons: list[str] = Field(description="What in the history says so.")


class CustomerOut(BaseModel):
    tags: list[CustomerTagOut] = Field(description="Traits read off the stored history.")


class ModelOut(BaseModel):
    name: str = Field(description="Model name.", examples=["feedback-multilingual"])
    version: str = Field(description="Model version.", examples=["1.0.0"])


class CarrierOut(BaseModel):
    text: str = Field(description="The word.", examples=["催"])
    start: int = Field(description="First character, counted in the text of the explanation.")
    end: int = Field(description="One past the last character.")
    weight: float = Field(description="Probability of the label lost without it; negative: it spoke against it.")


class WordsOut(BaseModel):
    intent: list[CarrierOut] = Field(description="Words that carried the intent, heaviest first.")
    sentiment: list[CarrierOut] = Field(description="Words that carried the sentiment.")
    emotion: list[CarrierOut] = Field(description="Words that carried the emotion.")


class NearestOut(BaseModel):
    text: str = Field(description="A labelled example of the corpus that the model was trained on.")
    intent: str = Field(description="Its intent.")
    similarity: float = Field(description="Cosine to the message.")


class ExplanationOut(BaseModel):
    text: str = Field(description="The text as the model read it.")
    words: WordsOut = Field(description="Words that carried each label, found by leaving them out.")
    nearest: list[NearestOut] = Field(description="Nearest labelled examples.")


class AnswerOut(BaseModel):
    """Everything that was understood of one message."""

    id: str = Field(description="The message's id.", examples=["hub-1"])
    intent: IntentOut = Field(description="What the customer mainly wants.")
    sentiment: SentimentOut = Field(description="Tone towards the company or product.")
    emotion: LabelOut = Field(description="Emotion of the customer.")
    flags: list[LabelOut] = Field(description="Flags set, any number.")
    language: LanguageOut = Field(description="Language and script.")
    priority: PriorityOut = Field(description="How soon, and why.")
    route: RouteOut = Field(description="Who should get it.")
    needs_human: NeedsHumanOut = Field(description="The honest “a person must look”.")
    themes: list[ThemeOut] = Field(description="Themes that the message belongs to.")
    customer: CustomerOut = Field(description="Tags of the customer.")
    pii: list[PiiOut] = Field(description="Personal data found.")
    masked_text: str = Field(description="The text with personal data masked; this is what is stored.")
    truncated: bool = Field(description="True where the text was too long to be read whole.")
    model: ModelOut = Field(description="The model that answered.")
    explanation: ExplanationOut | None = Field(None, description="With explain=true on a single message.")


class BatchOut(BaseModel):
    results: list[AnswerOut] = Field(description="One answer per message, in order.")
