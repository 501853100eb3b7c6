"""Policy: the rules in words, and a change tried on stored history before it is put in force."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Response

from nlp_service.bootstrap.parts import now
from nlp_service.core.access import Scope, require_all
from nlp_service.core.policy import load_policy
from nlp_service.core.replay import replay
from nlp_service.core.stored import Window
from nlp_service.errors import Conflict, PolicyError
from nlp_service.web.dashboard.access import ViewerDep, shows
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.rules import in_words
from nlp_service.web.dashboard.view import View, ViewDep
from nlp_service.web.own_messages import messages_seen

router = APIRouter(prefix="/ui/policy", route_class=PageRoute, dependencies=[Depends(shows(Scope.MODELS))])

MOST_YAML = 200_000
PREVIEW_DAYS = (7, 28, 90)


@router.get("")
def page(view: ViewDep, version: Annotated[int | None, Query(ge=1)] = None) -> Response:
    """Show the policy in force; ``version`` puts an older one in the editor."""
    text = None if version is None else view.service.policies.get(version).text
    return _page(view, text=text)


@router.post("/preview")
def preview(
    view: ViewDep,
    viewer: ViewerDep,
    policy: Annotated[str, Form(max_length=MOST_YAML)] = "",
    days: Annotated[int, Form(ge=1, le=366)] = 28,
) -> Response:
    """Say what is wrong with a policy, or what it would change."""
    model = view.service.model
    try:
        tried = load_policy(_lines(policy), model.taxonomy, where=view.t("nav.policy"))
    except PolicyError as exc:
        return view.part("policy_fault.html", fault=str(exc), code=422)
    at = now()
    stored = messages_seen(view.service, viewer, Window(start=at - timedelta(days=days), end=at))
    forecast: dict[str, Any] = replay(stored, tried, model.taxonomy, model.calibration, examples=10).as_data()
    return view.part("policy_preview.html", forecast=forecast, days=days, rules=_rules(view, tried))


@router.post("")
def save(
    view: ViewDep,
    viewer: ViewerDep,
    policy: Annotated[str, Form(max_length=MOST_YAML)] = "",
    after: Annotated[int | None, Form()] = None,
) -> Response:
    """Put a policy in force; a faulty one stays in the editor with what is wrong."""
    require_all(viewer, "the policy")
    text = _lines(policy)
    service = view.service
    if text == service.policy().text:
        return _page(view, text=text, note=view.t("policy.unchanged"))
    try:
        load_policy(text, service.model.taxonomy, where=view.t("nav.policy"))
        saved = service.policies.save(text, by=viewer.id, at=now(), after=after)
    except (PolicyError, Conflict) as exc:
        return _page(view, text=text, fault=str(exc), code=422)
    service.policy.refresh()
    return _page(view, note=view.t("policy.saved", version=saved.version))


def _page(
    view: View, *, text: str | None = None, note: str | None = None, fault: str | None = None, code: int = 200
) -> Response:
    in_force = view.service.policy()
    versions = view.service.policies.all(limit=20)
    return view.page(
        "policy.html",
        policy=in_force,
        rules=_rules(view, in_force),
        text=in_force.text if text is None else text,
        versions=versions,
        after=versions[0].version if versions else None,
        note=note,
        fault=fault,
        days=PREVIEW_DAYS,
        code=code,
    )


def _rules(view: View, policy: Any) -> dict[str, list[tuple[Any, str]]]:
    return {
        "priority": [(rule, in_words(rule.when, view)) for rule in policy.priority],
        "routing": [(rule, in_words(rule.when, view)) for rule in policy.routing],
    }


def _lines(text: str) -> str:
    """Return the text with the line ends of files; forms send those of the network."""
    return text.replace("\r\n", "\n")
