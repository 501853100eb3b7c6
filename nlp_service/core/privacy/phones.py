"""Phones outside China: E.164 wherever it stands, national forms where their shape leaves little doubt."""

from __future__ import annotations

import re
from collections.abc import Iterator

import phonenumbers

from nlp_service.core.labelling import PiiSpan

_INTERNATIONAL = re.compile(r"(?<![\w+])(?:\+|00(?=[1-9]))[ ]?\d(?:[ \-.()/]{0,2}\d){6,14}(?![\d])")
# Each shape by the countries that write it so; digits alone would be taken for prices, dates and serial numbers.
_NATIONAL = re.compile(
    r"(?<![\w.+¥$€£\-])(?:"
    r"0\d{1,4}(?:[ \-]\d{2,4}){2,4}"  # 090-1234-5678, 06 12 34 56 78, 0912 345 678, 020 7946 0958
    r"|\(0\d{1,4}\)[ \-]?\d{2,4}[ \-]?\d{3,4}"  # (03) 1234-5678
    r"|0\d{2,4}[ /\-]\d{6,8}"  # 0151 23456789, 030/1234567
    r"|0[1-9]\d{8,10}"  # 09012345678, 0612345678
    r"|(?:1[ \-.])?\(?(?!400|800|888|877|866|855)[2-9]\d{2}\)?[ \-.][2-9]\d{2}[ \-.]\d{4}"  # (415) 555-2671
    r"|\(?[1-9]\d\)? ?9?\d{4}-\d{4}"  # (11) 91234-5678
    r"|8[ \-]?\(?[3489]\d{2}\)?[ \-]?\d{3}[ \-]\d{2}[ \-]\d{2}"  # 8 (912) 345-67-89
    r"|[679]\d{2}(?: \d{2}){3}"  # 612 34 56 78
    r")(?![\w\-]|[.,]\d)"
)
_DIGITS = re.compile(r"\d")


def find_phones(text: str) -> Iterator[PiiSpan]:
    for match in _INTERNATIONAL.finditer(text):
        if _possible(match[0]):
            yield PiiSpan(kind="phone", start=match.start(), end=match.end())
    for match in _NATIONAL.finditer(text):
        if 9 <= len(_DIGITS.findall(match[0])) <= 12:
            yield PiiSpan(kind="phone", start=match.start(), end=match.end())


def _possible(number: str) -> bool:
    """Tell whether country code and length fit a numbering plan."""
    plain = "+" + "".join(_DIGITS.findall(number)).removeprefix("00")
    try:
        return phonenumbers.is_possible_number(phonenumbers.parse(plain, None))
    except phonenumbers.NumberParseException:
        return False
