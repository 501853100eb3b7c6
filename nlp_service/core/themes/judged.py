"""What people said of messages, brought to the themes: their labels count, and a random sample corrects the shares."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np

from nlp_service.core.corrections.values import NO_THEME, CorrectedLabels
from nlp_service.core.review.sample import random_sample
from nlp_service.core.stored import LabelledMessage
from nlp_service.core.themes.feedback import Bools, Feedback
from nlp_service.core.themes.measure import Judged
from nlp_service.core.themes.neighbours import IntArray


def as_people_say(
    message: LabelledMessage, labels: CorrectedLabels, *, sentiments: Mapping[str, int]
) -> LabelledMessage:
    """Return a message with people's labels in place of the model's; an intent by a person is in scope.

    Args:
        message: as a model labelled it.
        labels: what people settled on.
        sentiments: id -> ordinal value of the taxonomy, for the score.
    """
    if labels.intent is not None:
        message = replace(message, intent=labels.intent, intent_confidence=1.0, out_of_scope=0.0)
    if labels.sentiment is not None:
        greatest = max(map(abs, sentiments.values()), default=0)
        score = sentiments.get(labels.sentiment, 0) / greatest if greatest else message.sentiment_score
        message = replace(message, sentiment=labels.sentiment, sentiment_score=score)
    if labels.flags is not None:
        message = replace(message, flags=labels.flags)
    return replace(
        message,
        emotion=labels.emotion or message.emotion,
        priority=labels.priority or message.priority,
    )


def judge(
    feedback: Feedback,
    inside: Bools,
    themes: IntArray,
    people: Mapping[str, CorrectedLabels],
    *,
    number: Mapping[str, int],
    touched: Sequence[Collection[str]],
) -> Judged | None:
    """Return the judgements that are a random sample of a window's feedback, None where they are too few.

    Args:
        feedback: n messages.
        inside: (n,) those of the window.
        themes: (n,) the theme that each was assigned to, -1 for none.
        people: what people settled on, by message.
        number: theme id -> its number in ``themes``; merged themes under the one that goes on.
        touched: by number, the intents that a theme is about; empty where it is not known yet.

    A theme that a person named is the truth. Where only the intent was judged, it can take a message out of a theme
    that has nothing to do with it, but not bring one in: so the correction leans towards too small a share.
    """
    truths: dict[str, int] = {}
    for row in np.flatnonzero(inside).tolist():
        labels = people.get(feedback.messages[row].message_id)
        truth = None if labels is None else _truth(labels, int(themes[row]), number, touched)
        if truth is not None:
            truths[feedback.messages[row].text_hash] = truth
    rows = np.flatnonzero(inside)
    sample = random_sample((feedback.messages[row].text_hash for row in rows.tolist()), truths)
    chosen = [row for row in rows.tolist() if feedback.messages[row].text_hash in sample]
    if not chosen:
        return None
    truth_of = [truths[feedback.messages[row].text_hash] for row in chosen]
    return Judged(rows=np.array(chosen, dtype=np.int64), themes=np.array(truth_of, dtype=np.int64))


def _truth(
    labels: CorrectedLabels, assigned: int, number: Mapping[str, int], touched: Sequence[Collection[str]]
) -> int | None:
    if labels.theme is not None:
        return -1 if labels.theme == NO_THEME else number.get(labels.theme, -1)
    if labels.intent is None:
        return None
    if assigned >= 0 and touched[assigned] and labels.intent not in touched[assigned]:
        return -1
    return assigned
