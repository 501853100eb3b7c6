"""Conversations summed up."""

from __future__ import annotations

import pytest

from nlp_service.core.conversation import CustomerTurn, closing_cue, summarise, turning_point

PRIORITIES = {"urgent": 5, "normal": 30, "low": 240}


def turn(
    number: int, intent: str = "delivery_delay", sentiment: float = 0.0, text: str = "", **fields: object
) -> CustomerTurn:
    given = {"confidence": 0.9, "flags": (), "priority": "normal", "cue": closing_cue(text), **fields}
    return CustomerTurn(turn=number, intent=intent, sentiment=sentiment, **given)  # type: ignore[arg-type]


def test_the_main_intent_is_not_small_talk() -> None:
    turns = [turn(1, "smalltalk"), turn(3, "smalltalk"), turn(5, "refund_status"), turn(7, "invoice", confidence=0.5)]
    summary = summarise("c", turns, PRIORITIES)
    assert summary.main_intent == "refund_status"
    assert summary.reasons_for_contact == ("refund_status", "invoice")
    assert summarise("c", [turn(1, "smalltalk")], PRIORITIES).main_intent == "smalltalk"


def test_the_turning_point_splits_the_two_most_different_parts() -> None:
    assert turning_point([0.1, 0.2, -0.8, -0.9]) == (2, -1.0)
    assert turning_point([0.1, 0.2, 0.0]) == (None, None)
    assert turning_point([]) == (None, None)


@pytest.mark.parametrize(
    ("texts", "sentiment", "resolved"),
    [
        (("快递没动", "收到了，谢谢"), 0.4, "yes"),
        (("怎么用", "哦明白了"), 0.0, "yes"),
        (("充不进电", "擦过了还是不行"), -0.2, "no"),
        (("退款", "太差劲"), -0.9, "no"),
        (("在吗", "地址改一下"), 0.0, "unknown"),
        (("where is it", "Great, it works, thank you"), 0.5, "yes"),
        (("where is it", "it still does not work"), -0.3, "no"),
    ],
)
def test_resolved_as_far_as_the_text_says(texts: tuple[str, str], sentiment: float, resolved: str) -> None:
    turns = [turn(1, text=texts[0]), turn(3, text=texts[1], sentiment=sentiment)]
    assert summarise("c", turns, PRIORITIES).resolved == resolved


def test_escalation_and_priority_of_the_whole() -> None:
    turns = [turn(1, priority="low"), turn(3, flags=("escalation_threat",), priority="urgent"), turn(5, "human_agent")]
    summary = summarise("c", turns, PRIORITIES)
    assert (summary.escalated, summary.asked_for_human, summary.priority) == (True, True, "urgent")
