"""A labelling as the JSON document that is stored whole, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from nlp_service.core.labelling import (
    CustomerTag,
    FloatArray,
    LabelConfidence,
    Labelling,
    Labels,
    Language,
    ModelIdentity,
    PiiSpan,
    Priority,
    Reason,
    Route,
    Sentiment,
    ThemeMatch,
)


def encode(labelling: Labelling) -> dict[str, Any]:
    """Return everything but the text, the embedding and what identifies the row."""
    labels, language = labelling.labels, labelling.language
    priority = labelling.priority
    return {
        "intent": _pair(labels.intent),
        "alternatives": [_pair(entry) for entry in labels.alternatives],
        "sentiment": [labels.sentiment.label, labels.sentiment.score, labels.sentiment.confidence],
        "emotion": _pair(labels.emotion),
        "flags": [_pair(entry) for entry in labels.flags],
        "urgency": _pair(labels.urgency),
        "out_of_scope": labels.out_of_scope,
        **({"provisional": True} if labels.provisional else {}),
        "language": [language.code, language.script, language.confidence, language.supported],
        "priority": [priority.level, priority.respond_within_minutes],
        "reasons": [[reason.rule, reason.because] for reason in priority.reasons],
        "route": [labelling.route.department, labelling.route.reason],
        "needs_human": list(labelling.needs_human),
        "pii": [[span.kind, span.start, span.end] for span in labelling.pii],
        "truncated": labelling.truncated,
        "customer_tags": [[tag.tag, list(tag.reasons)] for tag in labelling.customer_tags],
        "themes": [[theme.theme_id, theme.title, theme.similarity] for theme in labelling.themes],
    }


def decode(
    document: Mapping[str, Any],
    *,
    message_id: str,
    model: ModelIdentity,
    masked_text: str,
    embedding: FloatArray,
    created_at: datetime,
) -> Labelling:
    """Rebuild the labelling that ``encode`` was given."""
    level, minutes = document["priority"]
    code, script, confidence, supported = document["language"]
    department, reason = document["route"]
    return Labelling(
        message_id=message_id,
        labels=_labels(document),
        language=Language(code=code, script=script, confidence=confidence, supported=supported),
        priority=Priority(
            level=level,
            respond_within_minutes=minutes,
            reasons=tuple(Reason(rule=rule, because=because) for rule, because in document["reasons"]),
        ),
        route=Route(department=department, reason=reason),
        needs_human=tuple(document["needs_human"]),
        pii=tuple(PiiSpan(kind=kind, start=start, end=end) for kind, start, end in document["pii"]),
        masked_text=masked_text,
        truncated=document["truncated"],
        model=model,
        embedding=embedding,
        customer_tags=tuple(CustomerTag(tag=tag, reasons=tuple(why)) for tag, why in document["customer_tags"]),
        themes=tuple(ThemeMatch(theme_id=key, title=title, similarity=s) for key, title, s in document["themes"]),
        created_at=created_at,
    )


def _labels(document: Mapping[str, Any]) -> Labels:
    label, score, confidence = document["sentiment"]
    return Labels(
        intent=_label(document["intent"]),
        alternatives=tuple(_label(entry) for entry in document["alternatives"]),
        sentiment=Sentiment(label=label, score=score, confidence=confidence),
        emotion=_label(document["emotion"]),
        flags=tuple(_label(entry) for entry in document["flags"]),
        urgency=_label(document["urgency"]),
        out_of_scope=document["out_of_scope"],
        provisional=document.get("provisional", False),
    )


def _pair(entry: LabelConfidence) -> list[str | float]:
    return [entry.label, entry.confidence]


def _label(entry: Sequence[Any]) -> LabelConfidence:
    return LabelConfidence(label=entry[0], confidence=entry[1])
