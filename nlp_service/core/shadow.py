"""A candidate in the shadow of the model that answers: which messages it sees, and how its answers compare."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from nlp_service.core.labelling import Labelling

HEADS = ("intent", "sentiment", "emotion", "priority", "department", "needs_human")
_MOVES = 20  # of the most frequent
_PARTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Shadow:
    """One run of a candidate beside the model that answers."""

    id: int
    version: str
    share: float  # of the messages that it sees
    started_at: datetime
    started_by: str
    ended_at: datetime | None


def sees(message_id: str, share: float) -> bool:
    """Tell whether a shadow sees a message: the same ones whenever they are sent, on every replica."""
    return zlib.crc32(message_id.encode("utf-8", "surrogatepass")) % _PARTS < share * _PARTS


def opinion(labelling: Labelling) -> dict[str, Any]:
    """Return what is kept of one side of the comparison; no text."""
    labels = labelling.labels
    return {
        "intent": labels.intent.label,
        "confidence": round(labels.intent.confidence, 4),
        "sentiment": labels.sentiment.label,
        "emotion": labels.emotion.label,
        "priority": labelling.priority.level,
        "department": labelling.route.department,
        "needs_human": bool(labelling.needs_human),
        "model": labelling.model.version,
    }


def differs(sent: Mapping[str, Any], shadow: Mapping[str, Any]) -> bool:
    return any(sent[head] != shadow[head] for head in HEADS)


def compare(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> dict[str, Any]:
    """Return counts of agreement by head, the most frequent moves, and what would go to people, JSON-ready.

    ``pairs`` holds (what was sent, what the shadow said).
    """
    total = len(pairs)
    moves = {
        head: Counter((str(sent[head]), str(said[head])) for sent, said in pairs if sent[head] != said[head])
        for head in ("intent", "priority", "department")
    }
    return {
        "messages": total,
        "agreement": {head: _share(sum(sent[head] == said[head] for sent, said in pairs), total) for head in HEADS},
        "needs_human": {
            "sent": _share(sum(bool(sent["needs_human"]) for sent, _ in pairs), total),
            "shadow": _share(sum(bool(said["needs_human"]) for _, said in pairs), total),
        },
        "confidence": {
            "sent": _share(sum(float(sent["confidence"]) for sent, _ in pairs), total),
            "shadow": _share(sum(float(said["confidence"]) for _, said in pairs), total),
        },
        "moves": {
            head: [
                {"sent": before, "shadow": after, "messages": count}
                for (before, after), count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:_MOVES]
            ]
            for head, counts in moves.items()
        },
    }


def _share(part: float, total: int) -> float:
    return round(part / total, 4) if total else 0.0
