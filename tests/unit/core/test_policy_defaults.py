"""The policy that comes with the service decides as the design says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.policy import Facts, default_policy, prioritise, route
from tests.conftest import ROOT
from tests.unit.core.facts import facts, history, labels, past

TAXONOMY: Taxonomy = load_taxonomy(ROOT / "corpora" / "taxonomy.yaml")
POLICY = default_policy(TAXONOMY)
LEVELS = tuple(TAXONOMY.priorities)  # most urgent first
NEGATIVE = {"sentiment": "negative"}


def decided(message: Facts) -> tuple[str, list[str]]:
    priority = prioritise(message, POLICY, TAXONOMY)
    return priority.level, [reason.rule for reason in priority.reasons]


@pytest.mark.parametrize(
    ("message", "level", "rules"),
    [
        (facts(labels(flags=["escalation_threat"])), "urgent", ["escalation_threat"]),
        (facts(labels(flags=["safety_hazard"])), "urgent", ["safety_hazard"]),
        (facts(labels(flags=["fraud_suspicion"])), "urgent", ["fraud_suspicion"]),
        (facts(labels(flags=["repeat_contact"], **NEGATIVE)), "urgent", ["repeat_contact_unsolved"]),
        (facts(labels(flags=["repeat_contact"])), "normal", ["model_urgency"]),
        (facts(labels("complaint", **NEGATIVE), amount=500.01), "urgent", ["complaint_high_amount"]),
        (facts(labels("complaint", **NEGATIVE), amount=500), "normal", ["model_urgency"]),
        (facts(labels("delivery_delay", **NEGATIVE), amount=2999), "urgent", ["complaint_high_amount"]),
        (facts(labels("product_info"), amount=2999), "normal", ["model_urgency"]),
        (
            facts(labels("complaint", **NEGATIVE), before=history(past(29, "complaint", **NEGATIVE))),
            "urgent",
            ["second_complaint_30_days"],
        ),
        (
            facts(labels("complaint", **NEGATIVE), before=history(past(31, "complaint", **NEGATIVE))),
            "normal",
            ["model_urgency"],
        ),
        (facts(labels("complaint", **NEGATIVE), before=history(past(3, "praise"))), "normal", ["model_urgency"]),
        (facts(labels("product_defect", emotion="anger", **NEGATIVE)), "urgent", ["anger_about_defect"]),
        (facts(labels("product_defect", emotion="anger", urgency_confidence=0.9)), "normal", ["model_urgency"]),
        (
            facts(labels("product_defect", emotion="disappointment", sentiment="very_negative")),
            "urgent",
            ["strong_disappointment_about_defect"],
        ),
        (facts(labels("product_defect", emotion="disappointment", **NEGATIVE)), "normal", ["model_urgency"]),
        (facts(labels("praise", sentiment="positive")), "low", ["nothing_to_solve"]),
        (facts(labels("smalltalk")), "low", ["nothing_to_solve"]),
        (facts(labels("suggestion")), "low", ["nothing_to_solve"]),
        (facts(labels("smalltalk", urgency="urgent")), "urgent", ["model_urgency"]),
        (facts(labels("praise"), tier="VIP"), "normal", ["nothing_to_solve", "vip"]),
        (facts(labels(), tier="vip3"), "urgent", ["model_urgency", "vip"]),
        (facts(labels(flags=["safety_hazard"]), tier="vip"), "urgent", ["safety_hazard"]),
        (facts(labels(urgency="low")), "low", ["model_urgency"]),
    ],
)
def test_priority_of_the_design(message: Facts, level: str, rules: list[str]) -> None:
    assert decided(message) == (level, rules)


def test_reasons_name_the_facts() -> None:
    said = labels("delivery_delay", sentiment="negative", score=-0.714, flags=["repeat_contact"])
    (reason,) = prioritise(facts(said), POLICY, TAXONOMY).reasons
    assert reason.because == "flag repeat_contact 0.88; sentiment -0.71"


def test_earlier_complaints_are_counted_in_the_reason() -> None:
    before = history(past(2, "complaint", **NEGATIVE), past(9, "delivery_delay", **NEGATIVE), past(12, "praise"))
    priority = prioritise(facts(labels("complaint", **NEGATIVE), before=before), POLICY, TAXONOMY)
    assert "2 earlier in 30 days, the last on 2026-11-18" in priority.reasons[0].because


def test_response_time_is_that_of_the_level() -> None:
    minutes = [prioritise(facts(labels(urgency=level)), POLICY, TAXONOMY).respond_within_minutes for level in LEVELS]
    assert minutes == [5, 30, 240]


@pytest.mark.parametrize("intent", TAXONOMY.intents)
def test_each_intent_goes_to_its_department(intent: str) -> None:
    said = facts(labels(intent))
    chosen = route(said, prioritise(said, POLICY, TAXONOMY), POLICY, TAXONOMY)
    assert (chosen.department, chosen.reason) == (TAXONOMY.intents[intent].department, f"intent {intent}")


def test_fraud_goes_to_the_risk_desk_whatever_the_intent() -> None:
    said = facts(labels("refund_request", flags=["fraud_suspicion"]))
    chosen = route(said, prioritise(said, POLICY, TAXONOMY), POLICY, TAXONOMY)
    assert (chosen.department, chosen.reason) == ("risk", "rule fraud: flag fraud_suspicion 0.88")


LABELS = st.builds(
    labels,
    st.sampled_from(sorted(TAXONOMY.intents)),
    sentiment=st.sampled_from(sorted(TAXONOMY.sentiments)),
    emotion=st.sampled_from(TAXONOMY.emotions),
    flags=st.lists(st.sampled_from(TAXONOMY.flags), unique=True, max_size=3),
    urgency=st.sampled_from(LEVELS),
)
MESSAGES = st.builds(
    facts,
    LABELS,
    before=st.lists(st.sampled_from([past(5, "complaint"), past(40, "complaint"), past(1, "praise")]), max_size=3).map(
        lambda messages: history(*messages)
    ),
    amount=st.one_of(st.none(), st.floats(min_value=0, max_value=2000)),
)


@given(MESSAGES, st.sampled_from(TAXONOMY.flags))
def test_another_flag_never_makes_a_message_less_urgent(message: Facts, flag: str) -> None:
    said = message.labels
    more = labels(
        said.intent.label,
        sentiment=said.sentiment.label,
        emotion=said.emotion.label,
        flags=[*(item.label for item in said.flags), flag],
        urgency=said.urgency.label,
    )
    after = facts(more, before=message.history, amount=message.message.amount)
    assert LEVELS.index(decided(after)[0]) <= LEVELS.index(decided(message)[0])


@given(MESSAGES)
def test_a_vip_goes_one_step_up(message: Facts) -> None:
    vip = facts(message.labels, before=message.history, amount=message.message.amount, tier="vip")
    before, after = (LEVELS.index(decided(item)[0]) for item in (message, vip))
    assert after == max(before - 1, 0)


@given(MESSAGES)
def test_every_decision_has_a_reason(message: Facts) -> None:
    priority = prioritise(message, POLICY, TAXONOMY)
    assert priority.reasons
    assert all(reason.because for reason in priority.reasons)
    assert route(message, priority, POLICY, TAXONOMY).department in TAXONOMY.departments
