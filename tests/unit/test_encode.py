"""One assembly of token ids: nothing is lost, the context gives way first, and what is cut is said."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models

from nlp_service.contract.encode import MAX_WINDOWS, SegmentTokenizer
from nlp_service.errors import BundleError
from tests.bundles import make_tokenizer

READER = SegmentTokenizer(make_tokenizer(), max_tokens=24, max_context_tokens=8)
IDS = st.integers(0, 24 * 40).map(lambda size: [4 + number % 37 for number in range(size)])
RELAXED = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def test_message_and_context_in_one_window() -> None:
    [reading] = READER.read([("ab", "c")])
    [window] = reading.windows
    a, b, c = (READER.pieces([(letter, "")])[0][0][0] for letter in "abc")
    assert window.ids == [READER.bos, a, b, READER.eos, c, READER.eos]
    assert window.boundary == 4
    assert not reading.truncated


@RELAXED
@given(own=IDS, before=IDS)
def test_every_token_of_a_message_is_in_a_window_or_the_reading_says_truncated(
    own: list[int], before: list[int]
) -> None:
    reading = READER.windows(own, before)
    assert all(len(window) <= 24 for window in reading.windows)
    bare = [window.ids[1 : window.boundary - 1] for window in reading.windows]
    joined = list(bare[0])
    for part in bare[1:]:
        overlap = 22 // 2
        assert joined[-overlap:] == part[:overlap]
        joined += part[overlap:]
    assert joined == own[: len(joined)]
    assert reading.truncated == (len(joined) < len(own))
    assert len(reading.windows) == MAX_WINDOWS or not reading.truncated


@RELAXED
@given(own=IDS, before=IDS)
def test_the_context_is_cut_from_its_beginning(own: list[int], before: list[int]) -> None:
    window = READER.join(own, before)
    assert len(window) <= 24
    kept = window.ids[window.boundary : -1]
    assert kept == before[len(before) - len(kept) :]
    assert window.ids[1 : window.boundary - 1] == own[:22]


@RELAXED
@given(own=st.lists(st.integers(4, 40), max_size=22), before=IDS)
def test_a_message_that_fits_is_read_as_training_reads_it(own: list[int], before: list[int]) -> None:
    assert READER.windows(own, before).windows == (READER.join(own, before),)


def test_collate_pads_to_the_longest() -> None:
    windows = [reading.windows[0] for reading in READER.read([("a", ""), ("abc", "de")])]
    inputs = READER.collate(windows)
    assert inputs.input_ids.shape == (2, 8)
    assert inputs.attention_mask.sum(axis=1).tolist() == [3, 8]
    assert inputs.token_type_ids[1].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert inputs.input_ids[0, 3:].tolist() == [READER.pad] * 5


def test_a_tokenizer_without_the_special_tokens_is_refused() -> None:
    with pytest.raises(BundleError, match="no <s> token"):
        SegmentTokenizer(Tokenizer(models.WordLevel({"a": 0}, unk_token="a")))
