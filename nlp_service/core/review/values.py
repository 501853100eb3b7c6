"""An entry of the review queue and the reasons that put it there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

DISAGREEMENT = "disagreement"  # people differ: a third decides
SAMPLE = "sample"  # drawn at random, so that precision and shares can be measured
LOW_CONFIDENCE = "low_confidence"
NEIGHBOURS_DIFFER = "neighbours_differ"  # messages that mean nearly the same carry another label
DRIFTED_REGION = "drifted_region"  # messages like it came up of late
RARE_LABEL = "rare_label"
SECOND_OPINION = "second_opinion"  # one person spoke: another shows how far people agree


@dataclass(frozen=True, kw_only=True)
class ReviewReason:
    kind: str  # one of the above
    strength: float  # 0 to 1
    because: str  # the figures behind it, in words
    figures: Mapping[str, str | float] = field(default_factory=dict)  # the same for a page in another language


@dataclass(frozen=True, kw_only=True)
class ReviewEntry:
    message_id: str
    department: str  # of the current labelling: who may see it
    score: float
    reasons: tuple[ReviewReason, ...]  # the strongest first


@dataclass(frozen=True, kw_only=True)
class QueuedEntry:
    """An entry as it is stored."""

    entry: ReviewEntry
    place: int  # 0 teaches most
    filled_at: datetime
