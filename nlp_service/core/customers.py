"""Lasting traits of a customer, read off what they said before and say now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.core.labelling import CustomerTag, Labels

HIGH_COMPLAINT_RISK = "high_complaint_risk"
CHURN_RISK = "churn_risk"
LOYAL = "loyal"

COMPLAINT_INTENTS = frozenset({"complaint", "escalation"})
COMPLAINT_FLAGS = frozenset({"escalation_threat", "compensation_demand", "repeat_contact"})
LEAVING_INTENTS = frozenset({"account_closure"})
NEGATIVE = -0.25  # sentiment score from which a message counts as negative
RECENT = timedelta(days=30)
WINDOW = timedelta(days=90)
LEAST_COMPLAINTS = 2  # within RECENT
LEAST_MESSAGES = 4  # before a share of negative messages says anything
NEGATIVE_SHARE = 0.6
TURN = 3  # newest messages that are compared with the ones before
TURN_DROP = 0.5  # fall of the mean sentiment that counts as having turned
LOYAL_MESSAGES = 5
LOYAL_SPAN = timedelta(days=30)
LOYAL_SENTIMENT = 0.15


@dataclass(frozen=True, kw_only=True)
class _Event:
    at: datetime
    intent: str
    score: float
    flags: tuple[str, ...]

    @property
    def complains(self) -> bool:
        return self.intent in COMPLAINT_INTENTS or bool(COMPLAINT_FLAGS.intersection(self.flags))


def customer_tags(history: CustomerHistory, labels: Labels | None, *, at: datetime) -> tuple[CustomerTag, ...]:
    """Return the tags that hold, each with its reasons.

    Args:
        history: earlier messages; without a customer id there are no tags.
        labels: of the message at hand; None where only the history is asked about.
        at: time of the message at hand, or now; aware.
    """
    if history.customer_id is None:
        return ()
    events = [_event(past) for past in history.messages if at - WINDOW <= past.at <= at]
    if labels is not None:
        flags = tuple(flag.label for flag in labels.flags)
        events.append(_Event(at=at, intent=labels.intent.label, score=labels.sentiment.score, flags=flags))
    found = {HIGH_COMPLAINT_RISK: _complaint_risk(events, at), CHURN_RISK: _churn_risk(events)}
    if not any(found.values()):
        found[LOYAL] = _loyalty(events)
    return tuple(CustomerTag(tag=tag, reasons=tuple(reasons)) for tag, reasons in found.items() if reasons)


def _event(past: PastMessage) -> _Event:
    return _Event(at=past.at, intent=past.intent, score=past.sentiment_score, flags=past.flags)


def _complaint_risk(events: list[_Event], at: datetime) -> list[str]:
    reasons = []
    complaints = [event for event in events if event.complains and event.at >= at - RECENT]
    if len(complaints) >= LEAST_COMPLAINTS:
        reasons.append(f"{len(complaints)} complaints in {RECENT.days} days")
    threats = [event for event in events if "escalation_threat" in event.flags]
    if threats:
        reasons.append(f"escalation threat on {threats[-1].at:%Y-%m-%d}")
    negative = sum(event.score <= NEGATIVE for event in events)
    if len(events) >= LEAST_MESSAGES and negative >= NEGATIVE_SHARE * len(events):
        reasons.append(f"{negative} of {len(events)} messages in {WINDOW.days} days negative")
    return reasons


def _churn_risk(events: list[_Event]) -> list[str]:
    reasons = []
    said = [event for event in events if "churn_risk" in event.flags]
    if said:
        reasons.append(f"said to leave on {said[-1].at:%Y-%m-%d}")
    closing = [event for event in events if event.intent in LEAVING_INTENTS]
    if closing:
        reasons.append(f"asked to close an account on {closing[-1].at:%Y-%m-%d}")
    if len(events) >= 2 * TURN:
        before, lately = _mean(events[:-TURN]), _mean(events[-TURN:])
        if lately <= NEGATIVE and before - lately >= TURN_DROP:
            reasons.append(f"mean sentiment fell from {before:.2f} to {lately:.2f} over the last {TURN} messages")
    return reasons


def _loyalty(events: list[_Event]) -> list[str]:
    if len(events) < LOYAL_MESSAGES or events[-1].at - events[0].at < LOYAL_SPAN:
        return []
    mean = _mean(events)
    if mean < LOYAL_SENTIMENT:
        return []
    days = (events[-1].at - events[0].at).days
    return [f"{len(events)} messages over {days} days with mean sentiment {mean:.2f}"]


def _mean(events: list[_Event]) -> float:
    return sum(event.score for event in events) / len(events)
