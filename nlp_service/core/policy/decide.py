"""Priority and route of a message under a policy, each with its reasons."""

from __future__ import annotations

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import Priority, Reason, Route
from nlp_service.core.policy.conditions import Evidence, current, holds
from nlp_service.core.policy.values import Facts, Policy, PriorityRule

MODEL_RULE = "model_urgency"


def prioritise(facts: Facts, policy: Policy, taxonomy: Taxonomy) -> Priority:
    """Return the most urgent level of the rules that hold, else the model's own; then the steps."""
    subject = current(facts, taxonomy)
    fired = [
        (rule, evidence) for rule in policy.priority if (evidence := holds(rule.when, subject, taxonomy)) is not None
    ]
    levels = tuple(taxonomy.priorities)  # most urgent first
    ranks = [levels.index(rule.level) for rule, _ in fired if rule.level is not None]
    if ranks:
        rank = min(ranks)
        reasons = [_reason(rule, evidence) for rule, evidence in fired if rule.level == levels[rank]]
    else:
        urgency = facts.labels.urgency
        rank = levels.index(urgency.label)
        reasons = [Reason(rule=MODEL_RULE, because=f"model urgency {urgency.label} {urgency.confidence:.2f}")]
    for rule, evidence in fired:
        moved = min(max(rank - rule.step, 0), len(levels) - 1)
        if moved != rank:
            reasons.append(_reason(rule, evidence))
        rank = moved
    level = levels[rank]
    return Priority(level=level, respond_within_minutes=policy.response_minutes[level], reasons=tuple(reasons))


def route(facts: Facts, priority: Priority, policy: Policy, taxonomy: Taxonomy) -> Route:
    """Return the department of the first routing rule that holds, else that of the intent."""
    subject = current(facts, taxonomy, priority=priority.level)
    for rule in policy.routing:
        evidence = holds(rule.when, subject, taxonomy)
        if evidence is not None:
            return Route(department=rule.department, reason=f"rule {rule.id}: {_because(rule.because, evidence)}")
    intent = taxonomy.intent(facts.labels.intent.label)
    return Route(department=intent.department, reason=f"intent {intent.id}")


def _reason(rule: PriorityRule, evidence: Evidence) -> Reason:
    return Reason(rule=rule.id, because=_because(rule.because, evidence))


def _because(template: str | None, evidence: Evidence) -> str:
    text = "; ".join(evidence) or "no condition speaks against it"
    return text if template is None else template.replace("{evidence}", text)
