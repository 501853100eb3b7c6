"""Labels that a person sends, held against the taxonomy."""

from __future__ import annotations

from collections.abc import Sequence

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.core.nearest import nearest
from nlp_service.errors import InvalidMessage


def known_labels(taxonomy: Taxonomy) -> dict[str, tuple[str, ...]]:
    """Return the identifiers that each field may hold."""
    return {
        "intent": tuple(taxonomy.intents),
        "sentiment": tuple(taxonomy.sentiments),
        "emotion": taxonomy.emotions,
        "flags": taxonomy.flags,
        "priority": tuple(taxonomy.priorities),
    }


def check_labels(labels: CorrectedLabels, taxonomy: Taxonomy) -> None:
    """Refuse labels that the taxonomy does not have; the nearest that it has is named.

    Raises:
        InvalidMessage: an unknown label, or none at all.
    """
    given = labels.given()
    if not given:
        raise InvalidMessage("the correction holds no label: give at least one of intent, sentiment, emotion, "
                             "flags, priority, theme", field="labels")  # fmt: skip
    for field, known in known_labels(taxonomy).items():
        value = given.get(field)
        if value is None:
            continue
        for label in (value,) if isinstance(value, str) else value:
            if label not in known:
                raise InvalidMessage(unknown(field, label, known, taxonomy), field=f"labels.{field}")


def unknown(field: str, label: str, known: Sequence[str], taxonomy: Taxonomy) -> str:
    """Say that a label is unknown, and which one may be meant."""
    guess = nearest(label, known, taxonomy.names)
    meant = f"did you mean {guess!r}?" if guess else f"choose from {', '.join(known)}"
    return f"{field} {label!r} is not in the taxonomy: {meant}"
