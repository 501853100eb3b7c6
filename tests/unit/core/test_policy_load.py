"""Reading a policy: what is wrong is refused with its line; what is right decides."""

from __future__ import annotations

import pytest

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import Language
from nlp_service.core.policy import Facts, Policy, default_policy, load_policy, prioritise, route
from nlp_service.errors import PolicyError
from tests.unit.core.facts import facts, history, labels, past

HEAD = "version: 1\npriority:\n"
RULE = HEAD + "  - {id: a, level: urgent, when: {%s}}\n"


def rule(condition: str) -> str:
    return RULE % condition


def loaded(text: str, taxonomy: Taxonomy) -> Policy:
    return load_policy(text, taxonomy, where="policy.yaml")


def fires(condition: str, message: Facts, taxonomy: Taxonomy) -> bool:
    priority = prioritise(message, loaded(rule(condition), taxonomy), taxonomy)
    return priority.reasons[0].rule == "a"


@pytest.mark.parametrize(
    ("text", "line", "names"),
    [
        ("", None, "empty"),
        ("[1, 2]\n", 1, "mapping"),
        ("version: 1\n", 1, "priority"),
        ("priority: []\n", 1, "version"),
        ("version: 2\npriority: []\n", 1, "version 2"),
        ("version: 1\npriority: {}\n", 2, "list"),
        ("version: 1\npriority: []\nrules: []\n", 3, "rules"),
        ("version: 1\nversion: 1\npriority: []\n", 2, "twice"),
        ("version: 1\npriority: [\n", 3, "not YAML"),
        (HEAD + "  - {id: a, level: urgent, when: {flag: safety_hazard}, whem: 1}\n", 3, "whem"),
        (HEAD + "  - {id: a, level: urgent}\n", 3, "when"),
        (HEAD + "  - {level: urgent, when: {flag: safety_hazard}}\n", 3, "id"),
        (HEAD + "  - {id: a, when: {flag: safety_hazard}}\n", 3, "level"),
        (HEAD + "  - {id: a, level: urgent, step: up, when: {flag: safety_hazard}}\n", 3, "exactly one"),
        (HEAD + "  - {id: a, level: high, when: {flag: safety_hazard}}\n", 3, "'high'"),
        (HEAD + "  - {id: a, step: 2, when: {flag: safety_hazard}}\n", 3, "'2'"),
        (HEAD + "  - id: a\n    level: urgent\n    when:\n      flags: safety_hazard\n", 6, "'flags'"),
        (HEAD + "  - id: a\n    level: urgent\n    when:\n      flag: [safety]\n", 6, "'safety'"),
        (rule("intent: refund"), 3, "'refund'"),
        (rule("intent: []"), 3, "empty list"),
        (rule(""), 3, "always hold"),
        (rule("any: []"), 3, "at least one"),
        (rule("is: complaint"), 3, "'complaint'"),
        (rule("amount: 500"), 3, "mapping"),
        (rule("amount: {over: 500}"), 3, "'over'"),
        (rule("amount: {above: much}"), 3, "number"),
        (rule("amount: {above: .inf}"), 3, "finite"),
        (rule("amount: {}"), 3, "above"),
        (rule("past: {within_days: 30, flag: churn_risk}"), 3, "at_least"),
        (rule("past: {within_days: 30, at_least: 1}"), 3, "condition"),
        (rule("past: {within_days: 30, at_least: 0, flag: churn_risk}"), 3, "whole number from 1"),
        (rule("past: {within_days: 0, at_least: 1, flag: churn_risk}"), 3, "within_days"),
        (rule("past: {within_days: 30, at_least: 1, amount: {above: 5}}"), 3, "earlier message"),
        (rule("priority: urgent"), 3, "'priority'"),
        (HEAD + "  - {id: a, level: urgent, because: '{amount}', when: {flag: safety_hazard}}\n", 3, "braces"),
        (rule("flag: safety_hazard") + "  - {id: a, level: low, when: {intent: praise}}\n", 4, "two rules"),
        ("version: 1\npriority: &a []\nrouting: *a\n", 3, "alias"),
        ("version: 1\npriority: " + "[" * 60 + "]" * 60 + "\n", 2, "nested"),
        ("version: 1\npriority: []\ntarget_accuracy: 95\n", 3, "[0.5, 1)"),
        ("version: 1\npriority: []\nresponse_minutes: {urgent: 60, normal: 30}\n", 3, "longer"),
        ("version: 1\npriority: []\nresponse_minutes: {soon: 60}\n", 3, "'soon'"),
        ("version: 1\npriority: []\nrouting:\n  - {id: r, when: {intent: praise}}\n", 4, "department"),
        ("version: 1\npriority: []\nrouting:\n  - {id: r, when: {intent: praise}, department: pr}\n", 4, "'pr'"),
        ("version: 1\nconditions:\n  a: {is: a}\npriority: []\n", 3, "itself"),
        ("version: 1\nconditions:\n  a: {is: b}\n  b: {flag: churn_risk}\npriority: []\n", 3, "'b'"),
        ("version: 1\nconditions:\n  a: {flog: churn_risk}\npriority: []\n", 3, "'flog'"),
    ],
)
def test_refused_with_the_line(text: str, line: int | None, names: str, taxonomy: Taxonomy) -> None:
    with pytest.raises(PolicyError) as caught:
        loaded(text, taxonomy)
    message = str(caught.value)
    assert message.startswith("policy policy.yaml")
    assert names in message
    if line is not None:
        assert f"line {line}:" in message


@pytest.mark.parametrize(
    ("condition", "holds"),
    [
        ("intent: [praise, delivery_delay]", True),
        ("intent: praise", False),
        ("group: delivery", True),
        ("sentiment_score: {at_most: -0.5}", True),
        ("sentiment_score: {below: -0.5}", False),
        ("amount: {above: 100, below: 300}", True),
        ("amount: {at_least: 200, at_most: 200}", True),
        ("amount: {above: 200}", False),
        ("product: '冰箱*'", True),
        ("product: '*bx-300'", True),
        ("product: 冰箱", False),
        ("region: [华南, 华东]", True),
        ("channel: WeChat", True),
        ("tier: vip", False),
        ("language: zh, script: Hans", True),
        ("urgency: normal, urgency_confidence: {at_least: 0.4}", True),
        ("urgency: normal, urgency_confidence: {at_least: 0.9}", False),
        ("not: {flag: churn_risk}", True),
        ("any: [{flag: churn_risk}, {emotion: anger}]", True),
        ("all: [{flag: churn_risk}, {emotion: anger}]", False),
        ("past: {within_days: 7, at_least: 2, group: delivery}", True),
        ("past: {within_days: 7, at_least: 3, group: delivery}", False),
        ("past: {within_days: 7, at_least: 1, not: {intent: delivery_tracking}}", True),
        ("out_of_scope: {above: 0.5}", False),
    ],
)
def test_conditions(condition: str, holds: bool, taxonomy: Taxonomy) -> None:
    message = facts(
        labels("delivery_delay", sentiment="negative", emotion="anger"),
        before=history(past(1), past(2), past(3, "praise"), past(20)),
        amount=200,
        product=" 冰箱 BX-300 ",
        region="华南",
        channel="wechat",
    )
    assert fires(condition, message, taxonomy) is holds


def test_an_unknown_amount_is_neither_above_nor_below(taxonomy: Taxonomy) -> None:
    message = facts(labels())
    assert not fires("amount: {above: 0}", message, taxonomy)
    assert not fires("amount: {at_most: 0}", message, taxonomy)


def test_the_most_urgent_level_wins_whatever_the_order_of_rules(taxonomy: Taxonomy) -> None:
    rules = [
        "  - {id: low, level: low, when: {intent: praise}}\n",
        "  - {id: high, level: urgent, when: {group: feedback}}\n",
    ]
    for text in (HEAD + "".join(rules), HEAD + "".join(reversed(rules))):
        priority = prioritise(facts(labels("praise")), loaded(text, taxonomy), taxonomy)
        assert (priority.level, [reason.rule for reason in priority.reasons]) == ("urgent", ["high"])


def test_a_step_down(taxonomy: Taxonomy) -> None:
    policy = loaded(HEAD + "  - {id: calm, step: down, because: 'calm: {evidence}', when: {emotion: joy}}\n", taxonomy)
    priority = prioritise(facts(labels(emotion="joy")), policy, taxonomy)
    assert priority.level == "low"
    assert priority.reasons[-1].because == "calm: emotion joy 0.90"


def test_routes_by_region_language_and_priority(taxonomy: Taxonomy) -> None:
    policy = loaded(
        HEAD
        + "  - {id: safe, level: urgent, when: {flag: safety_hazard}}\n"
        + "departments: [hotline, overseas]\n"
        + "routing:\n"
        + "  - {id: hot, when: {priority: urgent}, department: hotline}\n"
        + "  - {id: abroad, when: {not: {language: zh}}, department: overseas, because: written in another language}\n"
        + "  - {id: south, when: {region: 华南, product: 冰箱*}, department: field_service}\n",
        taxonomy,
    )

    def department(message: Facts) -> str:
        return route(message, prioritise(message, policy, taxonomy), policy, taxonomy).department

    english = Language(code="en", script="Latn", confidence=0.9, supported=True)
    assert department(facts(labels(flags=["safety_hazard"]))) == "hotline"
    assert department(facts(labels(), language=english)) == "overseas"
    assert department(facts(labels(), region="华南", product="冰箱 X")) == "field_service"
    assert department(facts(labels(), region="华南")) == "logistics"


def test_a_policy_keeps_its_source_and_target(taxonomy: Taxonomy) -> None:
    policy = default_policy(taxonomy)
    assert policy.target_accuracy == 0.85
    assert policy.text.startswith("# The default priority and routing policy.")
    assert load_policy(policy.text, taxonomy, where="again") == policy


def test_without_a_target_the_bundle_decides(taxonomy: Taxonomy) -> None:
    assert loaded("version: 1\npriority: []\n", taxonomy).target_accuracy is None
