"""A theme event: what it refuses, and that it survives storage."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.delivery.events import (
    KINDS,
    SEVERITIES,
    Share,
    ThemeEvent,
    decode,
    encode,
    theme_departments,
    trend,
)

AT = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
words = st.text(max_size=30)
shares = (
    st.lists(st.floats(0, 1), min_size=3, max_size=3)
    .map(sorted)
    .map(lambda three: Share(low=three[0], value=three[1], high=three[2]))
)
events = st.builds(
    ThemeEvent,
    id=words,
    theme_id=words,
    kind=st.sampled_from(KINDS),
    at=st.datetimes(timezones=st.just(UTC)),
    title=words,
    reason=words,
    share=st.none() | shares,
    messages=st.integers(0, 10**9),
    customers=st.integers(0, 10**9),
    growth=st.none() | st.floats(0, 100),
    quotes=st.lists(words, max_size=3).map(tuple),
    departments=st.lists(words, max_size=3).map(tuple),
    products=st.lists(words, max_size=3).map(tuple),
    severity=st.sampled_from(SEVERITIES),
    links=st.dictionaries(words, words, max_size=2),
)


@given(events)
def test_decoding_gives_back_what_was_encoded(event: ThemeEvent) -> None:
    assert decode(encode(event)) == event


@pytest.mark.parametrize(
    ("wrong", "named"),
    [({"kind": "exploded"}, "exploded"), ({"severity": "huge"}, "huge"), ({"at": datetime(2026, 1, 1)}, "time zone")],  # noqa: DTZ001
)
def test_what_cannot_be_is_refused(wrong: dict[str, object], named: str) -> None:
    fields: dict[str, object] = {"id": "e", "theme_id": "t", "kind": "new", "at": AT, "title": "x", **wrong}
    with pytest.raises(ValueError, match=named):
        ThemeEvent(**fields)  # type: ignore[arg-type]


def test_a_theme_goes_to_the_team_that_can_remove_its_cause(taxonomy: Taxonomy) -> None:
    routes = {intent.id: intent.department for intent in taxonomy.intents.values()}
    assert theme_departments(["product_usage"], routes) == ("product_team",)
    assert theme_departments(["delivery_delay", "delivery_problem", "product_defect"], routes) == (
        "logistics",
        "quality",
    )


@pytest.mark.parametrize(("growth", "mark"), [(None, "flat"), (1.1, "flat"), (1.6, "up"), (0.3, "down")])
def test_trend(growth: float | None, mark: str) -> None:
    assert trend(growth) == mark
