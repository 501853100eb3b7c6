from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.erasure import without_quotes

TEXTS = {"说明书看不懂，客服也不接电话"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["quotes", "text", "message_id", "a"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("document", "left"),
    [
        ({"quotes": ["说明书看不懂，客服也不接电话", "b"]}, {"quotes": ["b"]}),
        ({"quotes": ["说明书看不懂…", "物流太慢…"]}, {"quotes": ["物流太慢…"]}),
        ({"theme": {"name": {"quotes": [{"message_id": "m", "text": "x"}]}}}, {"theme": {"name": {"quotes": []}}}),
        ({"flood": {"text": "说明书看不懂，客服也不接电话", "n": 3}}, {"flood": {"text": "", "n": 3}}),
        ({"floods": [{"text": "说明书看不懂，客服也不接电话"}, {"text": "b"}]}, {"floods": [{"text": "b"}]}),
        ({"title": "说明书看不懂，客服也不接电话"}, {"title": "说明书看不懂，客服也不接电话"}),
    ],
)
def test_quotes_go_and_the_rest_stays(document: Any, left: Any) -> None:
    assert without_quotes(document, TEXTS, {"m"}) == left


@given(JSON)
def test_a_document_that_quotes_nobody_stays_the_same_object(document: Any) -> None:
    assert without_quotes(document, {"a text that nothing equals"}, {"no such id"}) is document


@given(JSON, st.sets(st.text(max_size=3)), st.sets(st.text(max_size=3)))
def test_taking_out_twice_changes_nothing_more(document: Any, texts: set[str], ids: set[str]) -> None:
    once = without_quotes(document, texts, ids)
    assert without_quotes(once, texts, ids) == once
