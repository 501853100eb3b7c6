"""A policy's conditions in words, in the viewer's language."""

from __future__ import annotations

from nlp_service.core.policy.values import All, AnyOf, Choice, Condition, Not, Past, Range
from nlp_service.web.dashboard.view import View

_NAMED = ("intent", "group", "sentiment", "flag", "urgency", "priority", "channel")
_BOUNDS = ("above", "at_least", "below", "at_most")


def in_words(condition: Condition, view: View, *, inner: bool = False) -> str:
    """Return a sentence without a full stop; ``inner`` puts lists of conditions in brackets."""
    match condition:
        case Choice():
            return _choice(condition, view)
        case Range():
            return _range(condition, view)
        case Past():
            said = in_words(condition.condition, view, inner=True)
            return view.t("rule.past", days=f"{condition.within_days:g}", count=condition.at_least, inner=said)
        case Not(part=part):
            return view.t("rule.not", inner=in_words(part, view))
        case All(parts=parts):
            said = view.t("rule.and").join(in_words(part, view, inner=True) for part in parts)
        case AnyOf(parts=parts):
            said = view.t("rule.or").join(in_words(part, view, inner=True) for part in parts)
    return view.t("rule.group", inner=said) if inner and len(parts) > 1 else said


def _choice(condition: Choice, view: View) -> str:
    names = [_value(condition.fact, value, view) for value in sorted(condition.values)]
    said = view.t("rule.list").join([*names, *condition.patterns])
    return view.t("rule.is", fact=view.t(f"fact.{condition.fact}"), values=said)


def _value(fact: str, value: str, view: View) -> str:
    if fact == "emotion":
        return view.name(f"emotion.{value}")
    return view.name(value) if fact in _NAMED else value


def _range(condition: Range, view: View) -> str:
    given = [(bound, getattr(condition, bound)) for bound in _BOUNDS]
    said = [
        view.t(f"rule.{bound}", fact=view.t(f"fact.{condition.fact}"), value=f"{value:g}")
        for bound, value in given
        if value is not None
    ]
    return view.t("rule.and").join(said)
