"""The answer of one message as plain data: the contract of /classify and of the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import LabelConfidence, Labelling


def answer(labelling: Labelling, taxonomy: Taxonomy) -> dict[str, Any]:
    """Return JSON-ready data; confidences are rounded to four digits."""
    labels = labelling.labels
    intent = taxonomy.intent(labels.intent.label)
    return {
        "id": labelling.message_id,
        "intent": {
            **_label(labels.intent),
            "name": taxonomy.name(intent.id),
            "group": intent.group,
            **({"provisional": True} if labels.provisional else {}),
            "alternatives": _labels(labels.alternatives),
        },
        "sentiment": {
            "label": labels.sentiment.label,
            "score": labels.sentiment.score,
            "confidence": round(labels.sentiment.confidence, 4),
        },
        "emotion": _label(labels.emotion),
        "flags": _labels(labels.flags),
        "language": {
            "code": labelling.language.code,
            "script": labelling.language.script,
            "confidence": round(labelling.language.confidence, 4),
        },
        "priority": {
            "level": labelling.priority.level,
            "respond_within_minutes": labelling.priority.respond_within_minutes,
            "reasons": [{"rule": reason.rule, "because": reason.because} for reason in labelling.priority.reasons],
        },
        "route": {"department": labelling.route.department, "reason": labelling.route.reason},
        "needs_human": {"value": bool(labelling.needs_human), "reasons": list(labelling.needs_human)},
        "themes": [
            {"id": theme.theme_id, "title": theme.title, "similarity": round(theme.similarity, 4)}
            for theme in labelling.themes
        ],
        "customer": {"tags": [{"tag": tag.tag, "reasons": list(tag.reasons)} for tag in labelling.customer_tags]},
        "pii": [{"kind": span.kind, "start": span.start, "end": span.end} for span in labelling.pii],
        "masked_text": labelling.masked_text,
        "truncated": labelling.truncated,
        "model": {"name": labelling.model.name, "version": labelling.model.version},
    }


def _label(item: LabelConfidence) -> Mapping[str, Any]:
    return {"label": item.label, "confidence": round(item.confidence, 4)}


def _labels(items: Sequence[LabelConfidence]) -> list[Mapping[str, Any]]:
    return [_label(item) for item in items]
