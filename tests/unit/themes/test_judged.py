"""What people say reaches the themes: their labels count, and a random sample corrects the shares."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np

from nlp_service.core.corrections.values import NO_THEME, CorrectedLabels
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.stored import LabelledMessage, Window
from nlp_service.core.themes.feedback import Feedback
from nlp_service.core.themes.judged import as_people_say, judge
from nlp_service.core.themes.measure import measure
from nlp_service.core.themes.mining import Before, Setting, mine
from tests.streams import Planted, draw

START = datetime(2026, 1, 5, tzinfo=UTC)
SENTIMENTS = {"very_negative": -2, "negative": -1, "neutral": 0, "positive": 1, "very_positive": 2}
MANUAL = Planted(wordings=("说明书看不懂", "说明书太难看不懂"), share=lambda _: 0.3)


def week() -> tuple[Feedback, Window]:
    """Return a week of messages, each with a text of its own."""
    stream = draw([MANUAL], start=START, days=7, per_day=120, seed=4)
    messages = [
        replace(said, message_id=f"m{row:04}", text_hash=hashlib.md5(f"{row}".encode()).hexdigest())
        for row, said in enumerate(stream.messages)
    ]
    return Feedback.of(messages), Window(start=START, end=START + timedelta(days=7))


def segment(text: str, _language: str) -> list[str]:
    return [text[start : start + 2] for start in range(0, len(text), 2)]


def test_a_run_of_mining_corrects_the_share_of_its_themes() -> None:
    """People say of a random 200 that half of the theme's messages belong to none."""
    stream = draw([MANUAL], start=START, days=21, per_day=60, seed=4)
    messages = [
        replace(said, text_hash=hashlib.md5(f"{row}".encode()).hexdigest()) for row, said in enumerate(stream.messages)
    ]
    end = START + timedelta(days=21)
    setting = Setting(
        window=Window(start=end - timedelta(days=7), end=end),
        model=ModelIdentity(name="feedback", version="1.0.0"),
        routes={"product_usage": "tech_support"},
        scope_threshold=0.9,
        run_id="run",
    )
    first = mine(messages, stream.embeddings, Before(), setting, segment)
    theme = next(theme for theme in first.themes if "说明书" in theme.title)
    members = {member.message_id: member.theme_id for member in first.members}
    recent = sorted((m for m in messages if m.occurred_at >= setting.window.start), key=lambda m: m.text_hash)[:200]
    people = {}
    for number, message in enumerate(recent):
        own = members.get(message.message_id, NO_THEME)
        people[message.message_id] = CorrectedLabels(theme=NO_THEME if own == theme.id and number % 2 else own)
    before = Before(themes=first.themes, anchors=first.anchors, members=members, space=first.space, people=people)
    again = mine(messages, stream.embeddings, before, setting, segment)
    measured = next(found.measure for found in again.themes if found.id == theme.id)
    assert measured is not None
    assert measured.corrected_share is not None
    assert measured.corrected_share.value < 0.7 * measured.share.value
    assert measured.corrected_share.high < measured.share.value


def in_random_order(feedback: Feedback) -> list[LabelledMessage]:
    return sorted(feedback.messages, key=lambda message: message.text_hash)


def test_peoples_labels_stand_in_place_of_the_models() -> None:
    feedback, _ = week()
    message = replace(feedback.messages[0], out_of_scope=0.99, intent="smalltalk")
    said = CorrectedLabels(intent="invoice", sentiment="very_negative", flags=("repeat_contact",), priority="urgent")
    seen = as_people_say(message, said, sentiments=SENTIMENTS)
    assert (seen.intent, seen.out_of_scope, seen.intent_confidence) == ("invoice", 0.0, 1.0)
    assert (seen.sentiment, seen.sentiment_score) == ("very_negative", -1.0)
    assert (seen.flags, seen.priority, seen.emotion) == (("repeat_contact",), "urgent", message.emotion)
    assert as_people_say(message, CorrectedLabels(), sentiments=SENTIMENTS) == message


def test_a_random_sample_corrects_a_share_and_difficult_cases_do_not() -> None:
    """Half of what is assigned to the theme is not of it; people judge a random 150 and many wrong ones."""
    feedback, window = week()
    n = len(feedback)
    assigned = np.where(np.arange(n) % 2 == 0, 0, -1)
    really = {message.message_id: row % 4 == 0 for row, message in enumerate(feedback.messages)}
    drawn = [message.message_id for message in in_random_order(feedback)[:150]]
    wrong = [key for row, key in enumerate(really) if row % 4 == 2][:150]
    people = {key: CorrectedLabels(theme="thm" if really[key] else NO_THEME) for key in (*drawn, *wrong)}
    inside = feedback.inside(window.start, window.end)

    judged = judge(feedback, inside, assigned, people, number={"thm": 0}, touched=[set()])

    assert judged is not None
    assert len(judged.rows) < 165
    (found,) = measure(feedback, assigned, 1, window, judged=judged)
    assert found.corrected_share is not None
    assert abs(found.share.value - 0.5) < 0.06
    assert found.corrected_share.low <= 0.25 <= found.corrected_share.high
    only_wrong = {key: people[key] for key in wrong}
    assert judge(feedback, inside, assigned, only_wrong, number={"thm": 0}, touched=[set()]) is None


def test_an_intent_takes_a_message_out_of_a_theme_but_brings_none_in() -> None:
    feedback, window = week()
    assigned = np.where(np.arange(len(feedback)) % 2 == 0, 0, -1)
    inside = feedback.inside(window.start, window.end)
    intents = {message.message_id: ("invoice", "product_usage")[row % 3 == 0]
               for row, message in enumerate(feedback.messages)}  # fmt: skip
    people = {key: CorrectedLabels(intent=intent) for key, intent in intents.items()}
    judged = judge(feedback, inside, assigned, people, number={}, touched=[{"product_usage"}])
    assert judged is not None
    truth = dict(zip(judged.rows.tolist(), judged.themes.tolist(), strict=True))
    assert all((truth[row] == 0) == (row % 2 == 0 and row % 3 == 0) for row in truth)
    untouched = judge(feedback, inside, assigned, people, number={}, touched=[set()])
    assert untouched is not None
    assert (untouched.themes == assigned[untouched.rows]).all()
