"""Everything decided about one message: what is prepared before the encoder and what follows from its scores."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from nlp_service.contract.calibration import Calibration
from nlp_service.contract.inputs import compose
from nlp_service.contract.script import to_simplified
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.contract.text import has_words
from nlp_service.core.changed_labels import ChangedLabels
from nlp_service.core.customers import customer_tags
from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Labelling, Language, ModelIdentity, PiiSpan, Scores
from nlp_service.core.labels import abstain, calibrate
from nlp_service.core.language import unclear
from nlp_service.core.messages import Message
from nlp_service.core.policy import Facts, Policy, prioritise, route
from nlp_service.core.privacy import find_pii, mask

IdentifyLanguage = Callable[[str], Language]

SPEAKER = re.compile("(?:顾客|客服): ?")  # the hub's prefixes of the turns before, in every language


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A message made ready for the encoder."""

    message: Message
    segments: tuple[str, str]  # message and context, normalised
    language: Language
    pii: tuple[PiiSpan, ...]
    masked_text: str
    words: bool  # any letter or digit in the text


@dataclass(frozen=True, kw_only=True)
class Judge:
    """What one model and one policy need to decide."""

    model: ModelIdentity
    taxonomy: Taxonomy
    calibration: Calibration
    policy: Policy
    changed: ChangedLabels | None = None  # labels that people changed since the model was trained


def prepare(message: Message, identify: IdentifyLanguage) -> Prepared:
    """Find personal data and the language, and compose the encoder's two segments."""
    pii = find_pii(message.text)
    segments = compose(message.text, message.context)
    language = _language(segments, identify)
    if (language.code, language.script) == ("zh", "Hant"):
        segments = to_simplified(segments[0]), to_simplified(segments[1])
    return Prepared(
        message=message,
        segments=segments,
        language=language,
        pii=pii,
        masked_text=mask(message.text, pii),
        words=has_words(segments[0]),
    )


def _language(segments: tuple[str, str], identify: IdentifyLanguage) -> Language:
    """Return the language of the message; one that shows none ("ok", "iPhone 15") takes that of the turns before."""
    said = identify(segments[0])
    if not segments[1] or not unclear(said):
        return said
    around = identify(SPEAKER.sub(" ", segments[1]))
    return said if unclear(around) else around


def decide(
    prepared: Sequence[Prepared], scores: Scores, histories: Sequence[CustomerHistory], judge: Judge, *, at: datetime
) -> list[Labelling]:
    """Return the labellings of n messages, in order.

    Args:
        prepared: n messages.
        scores: n rows.
        histories: n histories, empty where nothing is known.
        judge: the model, taxonomy, calibration and policy that decide.
        at: now, aware; the time of messages without one.
    """
    labelled = calibrate(scores, judge.calibration, judge.taxonomy)
    if judge.changed is not None:
        labelled = judge.changed.apply(labelled, scores.embedding)
    taxonomy = judge.taxonomy if judge.changed is None else judge.changed.taxonomy
    promise = judge.calibration.for_target(judge.policy.target_accuracy)
    results = []
    for row, (item, labels, history) in enumerate(zip(prepared, labelled, histories, strict=True)):
        facts = Facts(
            labels=labels, message=item.message, language=item.language, history=history, at=item.message.sent_at or at
        )
        priority = prioritise(facts, judge.policy, taxonomy)
        results.append(
            Labelling(
                message_id=item.message.id,
                labels=labels,
                language=item.language,
                priority=priority,
                route=route(facts, priority, judge.policy, taxonomy),
                needs_human=abstain(
                    labels,
                    item.language,
                    words=item.words,
                    threshold=promise.threshold,
                    scope_threshold=judge.calibration.scope_threshold,
                ),
                pii=item.pii,
                masked_text=item.masked_text,
                truncated=bool(scores.truncated[row]),
                model=judge.model,
                embedding=scores.embedding[row],
                customer_tags=customer_tags(history, labels, at=facts.at),
            )
        )
    return results
