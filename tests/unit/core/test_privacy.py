"""Personal data: golden cases, and what must hold for any text."""

from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.labelling import PiiSpan
from nlp_service.core.privacy import KINDS, MARKS, find_pii, mask
from nlp_service.core.privacy.digits import identity_check, luhn

GOLDEN = Path(__file__).parents[2] / "golden" / "pii"


def cases(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


def masked(text: str) -> str:
    return mask(text, find_pii(text))


@pytest.mark.parametrize("case", cases("in_the_wild.jsonl"), ids=lambda case: case["text"][:40])
def test_found_and_masked(case: dict[str, str]) -> None:
    assert masked(case["text"]) == case["masked"]


@pytest.mark.parametrize("case", cases("negative.jsonl"), ids=lambda case: case["text"][:40])
def test_left_alone(case: dict[str, str]) -> None:
    assert masked(case["text"]) == case["text"]


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, marks=pytest.mark.xfail(strict=True, reason=case["why"]), id=case["text"][:40])
        for case in cases("known_failures.jsonl")
    ],
)
def test_known_failure(case: dict[str, str]) -> None:
    assert masked(case["text"]) == case["masked"]


def test_offsets_count_characters_of_the_text_as_sent() -> None:
    text = "😀我的电话是１３８００１３８０００哦"
    (span,) = find_pii(text)
    assert (span, text[span.start : span.end]) == (PiiSpan(kind="mobile", start=6, end=17), "１３８００１３８０００")


def test_the_longest_of_overlapping_finds_wins() -> None:
    assert [span.kind for span in find_pii("440308199901010012")] == ["id_card"]


def test_every_kind_has_a_mark_of_its_own() -> None:
    assert set(MARKS) == set(KINDS)
    assert len(set(MARKS.values())) == len(MARKS)


def test_placeholders_of_a_masked_corpus_are_kept() -> None:
    text = "[电话x]打不通，[姓名x]让我找[ORDERID_10047423]"
    assert find_pii(text) == ()


PIECES = st.sampled_from(
    [
        *(case["text"] for case in cases("in_the_wild.jsonl")),
        *"0123456789 -.,:：()（）+@[]xX年月日元号路区市王先生我叫订单\u200b\n",
        "13800138000",
        "110105",
        "19491231",
        "002X",
        "订单号",
        "SF",
        "0571",
        "@example.com",
        "文三路",
        "3栋",
        "[手机]",
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=12).map("".join))


@given(TEXTS)
def test_spans_are_ordered_apart_and_within_the_text(text: str) -> None:
    position = 0
    for span in find_pii(text):
        assert position <= span.start < span.end <= len(text)
        assert span.kind in MARKS
        position = span.end


@given(TEXTS)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = masked(text)
    assert masked(once) == once


@given(st.integers(min_value=10**15, max_value=10**16 - 1))
def test_a_card_number_has_exactly_one_check_digit(stem: int) -> None:
    assert sum(luhn(f"{stem}{last}") for last in range(10)) == 1


@given(st.dates(min_value=date(1900, 1, 1), max_value=date(2099, 12, 31)), st.integers(min_value=0, max_value=999))
def test_an_identity_card_with_its_check_character_is_found(day: date, serial: int) -> None:
    stem = f"110105{day:%Y%m%d}{serial:03}"
    kinds = [span.kind for span in find_pii(f"身份证{stem}{identity_check(stem)}。")]
    assert kinds == ["id_card"]


@given(st.integers(min_value=13_000_000_000, max_value=19_999_999_999), st.sampled_from(["", " ", "-"]))
def test_every_mobile_number_is_masked_whatever_its_grouping(number: int, gap: str) -> None:
    digits = str(number)
    text = f"请打{digits[:3]}{gap}{digits[3:7]}{gap}{digits[7:]}找我"
    assert masked(text) == "请打[手机]找我"


ADVERSARIAL = {
    "digits": "1380",
    "spaced digits": "1 ",
    "dotted digits": "1.",
    "area codes": "010 ",
    "mobiles": "13800138000 ",
    "pluses": "+1 ",
    "at signs": "@a.",
    "letters": "a",
    "dashed letters": "a-",
    "tokens": "A1 ",
    "opening brackets": "[",
    "road": "路",
    "districts": "东区",
    "addresses": "文三路478号",
    "names": "我叫王",
    "titles": "王先生",
    "orders": "订单号",
    "western names": "Name: Ab ",
    "prefecture": "東京都港区あ",
    "seoul": "서울시",
    "plates": "粤B",
}


@pytest.mark.parametrize("unit", ADVERSARIAL.values(), ids=ADVERSARIAL)
def test_time_grows_with_length_and_no_faster(unit: str) -> None:
    """Twelve times the text takes 12 times as long on an idle machine; a square would take 144 times."""
    short, long = unit * (2_000 // len(unit)), unit * (24_000 // len(unit))
    assert fastest(long, rounds=2) < 72 * max(fastest(short, rounds=3), 0.001)


def fastest(text: str, *, rounds: int) -> float:
    times = []
    for _ in range(rounds):
        started = time.process_time()
        find_pii(text)
        times.append(time.process_time() - started)
    return min(times)
