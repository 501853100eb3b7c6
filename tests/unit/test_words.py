"""Word spans never overlap, keep their order and lie inside the text."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from nlp_service.adapters.words import word_spans
from nlp_service.core.explain import MOST_WORDS, groups


def test_words_of_several_scripts() -> None:
    text = "快递三天没动了, where's my parcel? ありがとう"
    words = [text[start:end] for start, end in word_spans(text)]
    assert "快递" in words
    assert "where's" in words
    assert "".join(words) == text.replace(" ", "")


@given(st.text(max_size=300))
def test_spans_are_ordered_and_disjoint(text: str) -> None:
    spans = word_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(spans))


@given(st.text(max_size=2000))
def test_groups_cover_the_same_words_and_are_few(text: str) -> None:
    spans = word_spans(text)
    joined = groups(spans)
    assert len(joined) <= MOST_WORDS
    assert not spans or (joined[0][0], joined[-1][1]) == (spans[0][0], spans[-1][1])
