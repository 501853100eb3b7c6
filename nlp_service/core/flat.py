"""A labelled message as one flat row: the columns of a relabelling job's output."""

from __future__ import annotations

from typing import Any

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import LabelConfidence
from nlp_service.core.relabelling import SCHEMA_VERSION, LabelledItem


def flat(item: LabelledItem, taxonomy: Taxonomy) -> dict[str, Any]:
    """Return the row; texts are masked, confidences rounded to four digits."""
    message, labelling = item.message, item.labelling
    labels, priority = labelling.labels, labelling.priority
    return {
        "id": message.id,
        "source": item.origin.name,
        "line": item.number,
        "conversation_id": item.conversation_id,
        "turn": item.turn,
        "text": labelling.masked_text,
        "channel": message.channel,
        "customer_id": message.customer_id,
        "customer_tier": message.customer_tier,
        "product": message.product,
        "region": message.region,
        "sent_at": message.sent_at,
        "amount": message.amount,
        "language": labelling.language.code,
        "script": labelling.language.script,
        "intent": labels.intent.label,
        "intent_confidence": round(labels.intent.confidence, 4),
        "intent_group": taxonomy.intent(labels.intent.label).group,
        "alternatives": [_pair(entry) for entry in labels.alternatives],
        "sentiment": labels.sentiment.label,
        "sentiment_score": labels.sentiment.score,
        "sentiment_confidence": round(labels.sentiment.confidence, 4),
        "emotion": labels.emotion.label,
        "emotion_confidence": round(labels.emotion.confidence, 4),
        "flags": [_pair(entry) for entry in labels.flags],
        "urgency": labels.urgency.label,
        "urgency_confidence": round(labels.urgency.confidence, 4),
        "out_of_scope": round(labels.out_of_scope, 4),
        "priority": priority.level,
        "respond_within_minutes": priority.respond_within_minutes,
        "priority_reasons": [{"rule": reason.rule, "because": reason.because} for reason in priority.reasons],
        "department": labelling.route.department,
        "route_reason": labelling.route.reason,
        "needs_human": bool(labelling.needs_human),
        "needs_human_reasons": list(labelling.needs_human),
        "truncated": labelling.truncated,
        "model_name": labelling.model.name,
        "model_version": labelling.model.version,
        "schema_version": SCHEMA_VERSION,
    }


def _pair(entry: LabelConfidence) -> dict[str, Any]:
    return {"label": entry.label, "confidence": round(entry.confidence, 4)}
