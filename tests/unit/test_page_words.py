"""The pages have a word for everything that the code can name, in both languages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from nlp_service.core import drift
from nlp_service.core.access import Scope
from nlp_service.core.delivery.events import KINDS, SEVERITIES
from nlp_service.core.delivery.records import DELIVERY_STATES
from nlp_service.core.delivery.subscriptions import CHANNELS, RHYTHMS
from nlp_service.core.delivery.subscriptions import STATES as SUBSCRIPTION_STATES
from nlp_service.core.themes.values import STATES as THEME_STATES
from nlp_service.web.dashboard.view import NAVIGATION
from nlp_service.web.dashboard.words import LANGUAGES, words_of

TEMPLATES = Path(__file__).parents[2] / "nlp_service" / "web" / "dashboard" / "templates"
NAMED = {
    "event": KINDS,
    "severity": SEVERITIES,
    "delivery": (*DELIVERY_STATES, *SUBSCRIPTION_STATES),
    "subscriptions.channel": CHANNELS,
    "subscriptions.when": RHYTHMS,
    "state": THEME_STATES,
    "drift": (drift.STEADY, drift.WATCH, drift.ALERT, drift.FEW),
    "drift.measure": tuple(drift.BOUNDS),
    "drift.how": ("training", "past"),
    "outcome": ("delivered", "refused", "throttled", "gone", "invalid", "unreachable", "forbidden"),
    "nav": tuple(page for page, _, scope in NAVIGATION if isinstance(scope, Scope)),
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_name_has_a_word(language: str) -> None:
    texts = words_of(language).texts
    assert [f"{area}.{name}" for area, names in NAMED.items() for name in names if f"{area}.{name}" not in texts] == []


def test_both_languages_have_the_same_texts_with_the_same_values() -> None:
    zh, en = (words_of(language).texts for language in ("zh", "en"))
    assert zh.keys() == en.keys()
    holes = {key: (set(re.findall(r"\{(\w+)", zh[key])), set(re.findall(r"\{(\w+)", en[key]))) for key in zh}
    assert {key: both for key, both in holes.items() if both[0] != both[1]} == {}


def test_every_text_that_a_template_asks_for_is_there() -> None:
    asked = {
        (path.name, key)
        for path in TEMPLATES.glob("*.html")
        for key in re.findall(r"\bt\('([a-z_.0-9]+)'[,)]", path.read_text(encoding="utf-8"))
    }
    assert len(asked) > 100
    assert sorted(entry for entry in asked if entry[1] not in words_of("zh").texts) == []
