"""What a whole conversation was about and how it went, from its labelled customer turns."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

LEAST_CHANGE = 0.5  # of the mean sentiment (-1 to 1) before and after a turn that counts as turning point
SAYS_LITTLE = ("smalltalk", "other", "human_agent")  # never the reason for contact while another intent is there
_ESCALATING_FLAG = "escalation_threat"
_UNSOLVED = re.compile(
    r"还是(不行|没|不能|不会|打不开|用不了)|没(有)?(解决|收到|到账|处理|用)|未(解决|收到|处理)|不(解决|处理|管)"
    r"|解决不了|怎么还|到现在|投诉|\bstill (not|no|does|did|have|has|isn|can|won)|not (resolved|solved|fixed|working)"
    r"|unresolved|doesn'?t work|never (got|received|arrived)|まだ|解決していません|아직|해결되지",
    re.IGNORECASE,
)
_SOLVED = re.compile(
    r"(已经?|都)?(解决了|弄好了|搞定|搞好了|可以了|好使了|能用了|修好了|收到(退款|货|了)|到账了|没问题了)|明白了|知道了|清楚了"
    r"|谢谢|感谢|多谢|辛苦了|\bthanks?\b|thank you|(it |that )?(works|worked|solved|fixed|resolved)\b|got it"
    r"|ありがとう|解決しました|감사|고마워|gracias|danke|merci|спасибо|obrigad|cảm ơn|terima kasih|شكرا|ขอบคุณ",
    re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class CustomerTurn:
    turn: int
    intent: str
    confidence: float
    sentiment: float  # -1 to 1
    flags: tuple[str, ...]
    priority: str
    cue: str | None  # of closing_cue
    sent_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class ConversationSummary:
    conversation_id: str
    customer_turns: int
    main_intent: str
    reasons_for_contact: tuple[str, ...]  # intents in the order in which they came up
    sentiment_start: float
    sentiment_end: float
    turning_point: int | None  # the turn from which the sentiment was another
    turning_change: float | None  # mean after it less mean before
    resolved: str  # yes, no, unknown: as far as the text says
    resolved_because: str
    escalated: bool  # a turn threatens to go to authorities, media or court, or asks for a supervisor
    asked_for_human: bool
    priority: str  # the most urgent of its turns
    first_at: datetime | None
    last_at: datetime | None


def closing_cue(text: str) -> str | None:
    """Return ``unsolved`` or ``solved`` where words of a customer turn say so."""
    if _UNSOLVED.search(text):
        return "unsolved"
    return "solved" if _SOLVED.search(text) else None


def summarise(
    conversation_id: str, turns: Sequence[CustomerTurn], priorities: Mapping[str, int]
) -> ConversationSummary:
    """Sum up a conversation with at least one customer turn; ``priorities`` maps level to minutes."""
    ordered = sorted(turns, key=lambda turn: turn.turn)
    weights: dict[str, float] = defaultdict(float)
    for turn in ordered:
        weights[turn.intent] += turn.confidence
    telling = [intent for intent in weights if intent not in SAYS_LITTLE]
    point, change = turning_point([turn.sentiment for turn in ordered])
    resolved, because = _resolved(ordered)
    times = [turn.sent_at for turn in ordered if turn.sent_at is not None]
    return ConversationSummary(
        conversation_id=conversation_id,
        customer_turns=len(ordered),
        main_intent=max(telling or weights, key=lambda intent: weights[intent]),  # the earliest of equals
        reasons_for_contact=tuple(telling),
        sentiment_start=ordered[0].sentiment,
        sentiment_end=ordered[-1].sentiment,
        turning_point=None if point is None else ordered[point].turn,
        turning_change=change,
        resolved=resolved,
        resolved_because=because,
        escalated=any(turn.intent == "escalation" or _ESCALATING_FLAG in turn.flags for turn in ordered),
        asked_for_human=any(turn.intent == "human_agent" for turn in ordered),
        priority=min((turn.priority for turn in ordered), key=lambda level: priorities.get(level, 1 << 30)),
        first_at=min(times, default=None),
        last_at=max(times, default=None),
    )


def turning_point(sentiments: Sequence[float]) -> tuple[int | None, float | None]:
    """Return the place that splits a conversation into its two most different parts, and the change of the mean."""
    best: tuple[int | None, float | None] = (None, None)
    largest = LEAST_CHANGE
    total, left = sum(sentiments), 0.0
    for place in range(1, len(sentiments)):
        left += sentiments[place - 1]
        change = (total - left) / (len(sentiments) - place) - left / place
        if abs(change) > largest + 1e-9:
            best, largest = (place, round(change, 4)), abs(change)
    return best


def _resolved(turns: Sequence[CustomerTurn]) -> tuple[str, str]:
    last = turns[-1]
    if last.cue == "unsolved":
        return "no", "the last turn says that it is not solved"
    if _ESCALATING_FLAG in last.flags or last.intent == "escalation":
        return "no", "the last turn escalates"
    if last.sentiment <= -0.4:
        return "no", "the last turn is negative"
    for turn in reversed(turns[-2:]):
        if turn.cue == "unsolved":
            return "unknown", "an unsolved matter, then nothing that says otherwise"
        if turn.cue == "solved":
            return "yes", "thanks or a word that it works, at the end"
    return "unknown", "the text does not say"
