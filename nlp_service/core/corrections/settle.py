"""Several people's labels for one message: where they agree, where they do not, and what counts.

Each person has one voice per field: the newest. A field is settled by agreement, by a majority of at least two, or by
the decision of a third person; else it is disputed, and nothing learns from it until it is settled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlp_service.core.corrections.values import FIELDS, CorrectedLabels, Correction, Label
from nlp_service.errors import Conflict

SINGLE, AGREED, MAJORITY, RESOLVED, DISPUTED = "single", "agreed", "majority", "resolved", "disputed"


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of one field."""

    state: str  # single, agreed, majority, resolved or disputed
    label: Label | None  # what counts; None while disputed
    voices: Mapping[str, Label]  # person -> label


@dataclass(frozen=True, kw_only=True)
class Settled:
    """All that people said of one message."""

    message_id: str
    fields: Mapping[str, Outcome]  # those that anybody judged
    people: tuple[str, ...]  # in the order in which they first spoke

    @property
    def disputed(self) -> tuple[str, ...]:
        return tuple(name for name, outcome in self.fields.items() if outcome.state == DISPUTED)

    @property
    def labels(self) -> CorrectedLabels:
        """What counts: settled fields alone."""
        return CorrectedLabels(**{name: outcome.label for name, outcome in self.fields.items()})  # type: ignore[arg-type]


def settle(corrections: Sequence[Correction]) -> Settled:
    """Bring together the corrections of one message, of which there is at least one."""
    ordered = sorted(corrections, key=lambda correction: correction.id)
    outcomes = {name: outcome for name in FIELDS if (outcome := _outcome(ordered, name)) is not None}
    people = tuple(dict.fromkeys(correction.by for correction in ordered))
    return Settled(message_id=ordered[0].message_id, fields=outcomes, people=people)


def settle_all(corrections: Sequence[Correction]) -> dict[str, Settled]:
    """Bring together the corrections of many messages, by message."""
    by_message: dict[str, list[Correction]] = {}
    for correction in corrections:
        by_message.setdefault(correction.message_id, []).append(correction)
    return {key: settle(own) for key, own in by_message.items()}


def may_resolve(before: Sequence[Correction], correction: Correction) -> None:
    """Refuse a decision that is no third person's.

    Raises:
        Conflict: nobody disagrees about the fields it judges, or the person is one of those who do.
    """
    settled = settle(before) if before else None
    wanted = correction.labels.given()
    disputed = [name for name in settled.disputed if name in wanted] if settled else []
    if settled is None or not disputed:
        raise Conflict(
            f"message {correction.message_id!r}: nobody disagrees about {', '.join(wanted) or 'anything'}, "
            "so there is nothing to resolve: send it without `resolves`"
        )
    parties = {by for name in disputed for by in settled.fields[name].voices}
    if correction.by in parties:
        raise Conflict(
            f"{correction.by} is one of those who disagree about message {correction.message_id!r}: "
            "a third person resolves it"
        )


def _outcome(ordered: Sequence[Correction], name: str) -> Outcome | None:
    voices: dict[str, Label] = {}
    resolved: Label | None = None
    for correction in ordered:
        label = correction.labels.given().get(name)
        if label is None:
            continue
        label = tuple(sorted(label)) if isinstance(label, tuple) else label
        voices[correction.by] = label
        if correction.resolves:
            resolved = label
    if not voices:
        return None
    if resolved is not None:
        return Outcome(state=RESOLVED, label=resolved, voices=voices)
    if len(voices) == 1:
        return Outcome(state=SINGLE, label=next(iter(voices.values())), voices=voices)
    label, votes = Counter(voices.values()).most_common(1)[0]
    if votes == len(voices):
        return Outcome(state=AGREED, label=label, voices=voices)
    if votes >= 2 and votes > len(voices) / 2:
        return Outcome(state=MAJORITY, label=label, voices=voices)
    return Outcome(state=DISPUTED, label=None, voices=voices)


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far people agree about one field, over the messages that two or more judged."""

    messages: int
    share: float | None  # of pairs of voices that are equal; None without any pair
    alpha: float | None  # Krippendorff's, nominal: 1 perfect, 0 as by chance; None where it cannot be told


def agreement(settled: Sequence[Settled], field: str = "intent") -> Agreement:
    """Measure agreement before anything was resolved (Krippendorff 2004, chapter 11)."""
    units = [list(own.fields[field].voices.values()) for own in settled if field in own.fields]
    units = [labels for labels in units if len(labels) >= 2]
    if not units:
        return Agreement(messages=0, share=None, alpha=None)
    pairs = sum(len(labels) * (len(labels) - 1) for labels in units)
    equal = sum(count * (count - 1) for labels in units for count in Counter(labels).values())
    totals = Counter(label for labels in units for label in labels)
    n = sum(totals.values())
    observed = sum(
        (len(labels) * (len(labels) - 1) - sum(c * (c - 1) for c in Counter(labels).values())) / (len(labels) - 1)
        for labels in units
    ) / n  # fmt: skip
    expected = (n * n - sum(count * count for count in totals.values())) / (n * (n - 1))
    alpha = None if expected == 0 else 1 - observed / expected
    return Agreement(messages=len(units), share=equal / pairs, alpha=alpha)
