"""Whether a condition holds, and the evidence for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.history import PastMessage
from nlp_service.core.policy.values import All, AnyOf, Choice, Condition, Facts, Not, Past, Range

Evidence = tuple[str, ...]

CHOICES = ("intent", "group", "sentiment", "emotion", "flag", "urgency", "channel", "tier", "product", "region",
           "language", "script")  # fmt: skip
NUMBERS = ("sentiment_score", "amount", "intent_confidence", "sentiment_confidence", "emotion_confidence",
           "urgency_confidence", "out_of_scope")  # fmt: skip
PAST_CHOICES = ("intent", "group", "sentiment", "flag", "priority")
PAST_NUMBERS = ("sentiment_score",)


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Facts by name; the current message, or one from the customer's past."""

    choices: Mapping[str, tuple[tuple[str, str], ...]]  # fact -> (case-folded value, evidence)
    numbers: Mapping[str, tuple[float, str]]  # fact -> (value, evidence); an unknown number is absent
    past: tuple[PastMessage, ...] = ()
    at: datetime | None = None


def current(facts: Facts, taxonomy: Taxonomy, *, priority: str | None = None) -> Subject:
    """Return the facts of the message at hand; ``priority`` once it is decided."""
    labels, message = facts.labels, facts.message
    score = f"sentiment {labels.sentiment.score:.2f}"
    intent = f"intent {labels.intent.label}"
    group = taxonomy.intent(labels.intent.label).group
    emotion = f"emotion {labels.emotion.label} {labels.emotion.confidence:.2f}"
    urgency = f"model urgency {labels.urgency.label} {labels.urgency.confidence:.2f}"
    choices = {
        "intent": ((labels.intent.label, intent),),
        "group": ((group, f"group {group}"),),
        "sentiment": ((labels.sentiment.label, score),),
        "emotion": ((labels.emotion.label, emotion),),
        "flag": tuple((flag.label, f"flag {flag.label} {flag.confidence:.2f}") for flag in labels.flags),
        "urgency": ((labels.urgency.label, urgency),),
        "language": ((facts.language.code.casefold(), f"language {facts.language.code}"),),
        "script": ((facts.language.script.casefold(), f"script {facts.language.script}"),),
        "channel": _given("channel", message.channel),
        "tier": _given("tier", message.customer_tier),
        "product": _given("product", message.product),
        "region": _given("region", message.region),
        "priority": _given("priority", priority),
    }
    numbers = {
        "sentiment_score": (labels.sentiment.score, score),
        "intent_confidence": (labels.intent.confidence, f"{intent} {labels.intent.confidence:.2f}"),
        "sentiment_confidence": (labels.sentiment.confidence, f"{score}, sure by {labels.sentiment.confidence:.2f}"),
        "emotion_confidence": (labels.emotion.confidence, emotion),
        "urgency_confidence": (labels.urgency.confidence, urgency),
        "out_of_scope": (labels.out_of_scope, f"out of scope {labels.out_of_scope:.2f}"),
    }
    if message.amount is not None:
        numbers["amount"] = (message.amount, f"amount {message.amount:g}")
    return Subject(choices=choices, numbers=numbers, past=facts.history.messages, at=facts.at)


def holds(condition: Condition, subject: Subject, taxonomy: Taxonomy) -> Evidence | None:
    """Return the evidence, which may be empty, or None where the condition does not hold."""
    match condition:
        case Choice():
            return _chosen(condition, subject)
        case Range():
            return _within(condition, subject)
        case All(parts=parts):
            return _all(holds(part, subject, taxonomy) for part in parts)
        case AnyOf(parts=parts):
            return _any(holds(part, subject, taxonomy) for part in parts)
        case Not(part=part):
            return () if holds(part, subject, taxonomy) is None else None
        case Past():
            return _happened(condition, subject, taxonomy)


def _all(parts: Iterable[Evidence | None]) -> Evidence | None:
    """Return the evidence of parts that all hold; those after the first that does not are not looked at."""
    held: list[Evidence] = []
    for evidence in parts:
        if evidence is None:
            return None
        held.append(evidence)
    return _joined(held)


def _any(parts: Iterable[Evidence | None]) -> Evidence | None:
    held = [evidence for evidence in parts if evidence is not None]
    return _joined(held) if held else None


def _joined(held: list[Evidence]) -> Evidence:
    return tuple(dict.fromkeys(item for evidence in held for item in evidence))


def _given(fact: str, value: str | None) -> tuple[tuple[str, str], ...]:
    return () if value is None else ((value.strip().casefold(), f"{fact} {value.strip()}"),)


def _chosen(condition: Choice, subject: Subject) -> Evidence | None:
    found = tuple(
        evidence
        for value, evidence in subject.choices[condition.fact]
        if value in condition.values or any(fnmatchcase(value, pattern) for pattern in condition.patterns)
    )
    return found or None


def _within(condition: Range, subject: Subject) -> Evidence | None:
    known = subject.numbers.get(condition.fact)
    if known is None:
        return None
    value, evidence = known
    fits = (
        (condition.above is None or value > condition.above)
        and (condition.at_least is None or value >= condition.at_least)
        and (condition.below is None or value < condition.below)
        and (condition.at_most is None or value <= condition.at_most)
    )
    return (evidence,) if fits else None


def _happened(condition: Past, subject: Subject, taxonomy: Taxonomy) -> Evidence | None:
    if subject.at is None:
        return None
    since = subject.at - timedelta(days=condition.within_days)
    matching = [
        past
        for past in subject.past
        if since <= past.at <= subject.at and holds(condition.condition, _past(past, taxonomy), taxonomy) is not None
    ]
    if len(matching) < condition.at_least:
        return None
    latest = max(past.at for past in matching)
    days = f"{condition.within_days:g} days"
    return (f"{len(matching)} earlier in {days}, the last on {latest:%Y-%m-%d}",)


def _past(past: PastMessage, taxonomy: Taxonomy) -> Subject:
    intent = taxonomy.intents.get(past.intent)  # None: an intent that only an older taxonomy knew
    return Subject(
        choices={
            "intent": ((past.intent, ""),),
            "group": ((intent.group, ""),) if intent is not None else (),
            "sentiment": ((past.sentiment, ""),),
            "flag": tuple((flag, "") for flag in past.flags),
            "priority": ((past.priority, ""),),
        },
        numbers={"sentiment_score": (past.sentiment_score, "")},
    )
