"""Customer tags: each with its reasons, none without a customer."""

from __future__ import annotations

import pytest

from nlp_service.core.customers import customer_tags
from nlp_service.core.history import CustomerHistory, PastMessage
from nlp_service.core.labelling import Labels
from tests.unit.core.facts import NOW, history, labels, past


def tags(said: Labels | None, *before: PastMessage) -> dict[str, tuple[str, ...]]:
    return {tag.tag: tag.reasons for tag in customer_tags(history(*before), said, at=NOW)}


@pytest.mark.parametrize(
    ("said", "before", "expected"),
    [
        (labels(), [], {}),
        (labels("complaint"), [past(10, "complaint")], {"high_complaint_risk": ("2 complaints in 30 days",)}),
        (labels("complaint"), [past(40, "complaint")], {}),
        (
            labels(),
            [past(60, flags=["escalation_threat"])],
            {"high_complaint_risk": ("escalation threat on 2026-09-21",)},
        ),
        (
            labels("delivery_delay", sentiment="negative"),
            [past(day, sentiment="negative") for day in (50, 60, 70)],
            {"high_complaint_risk": ("4 of 4 messages in 90 days negative",)},
        ),
        (labels(sentiment="negative"), [past(5, sentiment="negative")], {}),
        (labels(flags=["churn_risk"]), [], {"churn_risk": ("said to leave on 2026-11-20",)}),
        (labels("account_closure"), [], {"churn_risk": ("asked to close an account on 2026-11-20",)}),
        (
            labels(sentiment="negative"),
            [
                *(past(day, sentiment="positive") for day in (50, 45, 40)),
                past(2, sentiment="negative"),
                past(1, sentiment="negative"),
            ],
            {"churn_risk": ("mean sentiment fell from 0.50 to -0.50 over the last 3 messages",)},
        ),
        (
            labels("praise", sentiment="positive"),
            [past(day, sentiment="positive") for day in (80, 60, 40, 20)],
            {"loyal": ("5 messages over 80 days with mean sentiment 0.50",)},
        ),
        (
            labels("praise", sentiment="positive", flags=["churn_risk"]),
            [past(day, sentiment="positive") for day in (80, 60, 40, 20)],
            {"churn_risk": ("said to leave on 2026-11-20",)},
        ),
    ],
)
def test_tags(said: Labels, before: list[PastMessage], expected: dict[str, tuple[str, ...]]) -> None:
    assert tags(said, *before) == expected


def test_history_alone_can_be_asked_about() -> None:
    assert list(tags(None, past(10, "complaint"), past(3, "complaint"))) == ["high_complaint_risk"]
    assert tags(None) == {}


def test_what_is_older_than_ninety_days_is_forgotten() -> None:
    assert tags(labels(), past(91, flags=["churn_risk", "escalation_threat"])) == {}


def test_without_a_customer_there_are_no_tags() -> None:
    assert customer_tags(CustomerHistory(customer_id=None), labels(flags=["churn_risk"]), at=NOW) == ()
