"""Numbers that give a person away by their own form: Chinese phones, identity cards, bank cards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from nlp_service.core.labelling import PiiSpan

MAX_DIGITS = 19
_RUN = re.compile(r"\d+(?:[ \-.·\u200b]{1,2}\d+)*")
_GROUP = re.compile(r"\d+")
_PARENTHESISED = re.compile(r"\((0\d{2,3})\)[ \-]?([2-8]\d{2,3}[ \-]?\d{4})(?!\d)")
_EXTENSION = re.compile(r"(?:[ \-]{0,2}(?:转|轉|ext\.?|分机)[ :]?|-)\d{1,5}(?!\d)")

_MOBILE = re.compile(r"(?:0086|86|0)?(1[3-9]\d{9})\Z")
_AREA = r"10|2\d|3[13579]\d|4[135-8]\d|5[1-9]\d|6[369]\d|7[0-79]\d|8[1357-9]\d|82[5-7]|9[013-579]\d"
_LANDLINE = re.compile(rf"(?:(?:0086|86)0?|0)(?:{_AREA})[2-8]\d{{6,7}}\Z")
_CARD = re.compile(
    r"(?:62\d{14,17}|4\d{15}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|35\d{14}|6(?:011|5\d\d)\d{12}|(?:9|6|4)\d{18})\Z"
)
_MOBILE_LAYOUTS = {(3, 4, 4), (3, 8), (7, 4), (4, 3, 4), (3, 3, 5), (4, 4, 3), (5, 6), (3, 5, 3), (6, 5), (11,)}
_LANDLINE_LAYOUTS = {(3, 8), (3, 4, 4), (4, 8), (4, 7), (4, 4, 4), (4, 3, 4)}
_SHORT_AREAS = ("010", "02")  # with their zero three digits long, all others four
_LETTERS_BEFORE = re.compile(r"(?:\A|[^A-Za-z0-9_])(?:tel|phone|mobile|mob|call|vx|wx|v|wechat|sj|dh)\Z", re.IGNORECASE)

# GB 11643: weights of the first 17 digits, and the check character by the weighted sum modulo 11.
_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_CHECK = "10X98765432"
_CHECK_LETTER = re.compile(r"[Xx](?![A-Za-z0-9])")
_PROVINCES = frozenset(
    {
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    }
)


@dataclass(frozen=True, kw_only=True)
class _Window:
    """Neighbouring groups of digits read as one number."""

    digits: str
    layout: tuple[int, ...]
    start: int
    end: int

    @property
    def even(self) -> bool:
        """One group, or single digits set apart: no layout to check."""
        return len(self.layout) == 1 or (len(self.layout) > 4 and set(self.layout) == {1})


def find_numbers(text: str) -> Iterator[PiiSpan]:
    """Yield the numbers of a folded text; windows of one run may overlap."""
    for match in _PARENTHESISED.finditer(text):
        yield _with_extension(text, match.start(), match.end())
    for run in _RUN.finditer(text):
        if run.end() - run.start() >= 8:
            yield from _in_run(text, run.start(), run.end())


def _in_run(text: str, start: int, end: int) -> Iterator[PiiSpan]:
    groups = [match.span() for match in _GROUP.finditer(text, start, end)]
    for first in range(len(groups)):
        digits = ""
        layout: list[int] = []
        for left, right in groups[first : first + MAX_DIGITS]:
            if len(digits) + right - left > MAX_DIGITS:
                break
            digits += text[left:right]
            layout.append(right - left)
            if len(digits) >= 10:
                window = _Window(digits=digits, layout=tuple(layout), start=groups[first][0], end=right)
                yield from _classify(text, window)


def _classify(text: str, window: _Window) -> Iterator[PiiSpan]:
    if _letters_before(text, window.start):
        return
    identity = _identity(text, window)
    if identity is not None:
        yield identity
    elif _card_layout(window) and _CARD.match(window.digits) and luhn(window.digits):
        yield PiiSpan(kind="bank_card", start=window.start, end=window.end)
    elif _mobile(window):
        yield PiiSpan(kind="mobile", start=_with_plus(text, window.start), end=window.end)
    elif _landline(window):
        yield _with_extension(text, _with_plus(text, window.start), window.end)


def _letters_before(text: str, start: int) -> bool:
    """Tell whether the digits are the tail of a word such as a model or an order number."""
    before = text[start - 1] if start else " "
    if not (before.isascii() and (before.isalnum() or before in "_")):
        return False
    return _LETTERS_BEFORE.search(text[max(0, start - 8) : start]) is None


def _with_plus(text: str, start: int) -> int:
    return start - 1 if start and text[start - 1] == "+" else start


def _without_country(layout: tuple[int, ...], digits: str, number: str) -> tuple[int, ...]:
    """Return the layout without the country code, which is a group of its own or leads the first."""
    extra = len(digits) - len(number)
    if extra == 0:
        return layout
    return layout[1:] if layout[0] == extra else (layout[0] - extra, *layout[1:])


def _mobile(window: _Window) -> bool:
    match = _MOBILE.match(window.digits)
    if match is None:
        return False
    layout = _without_country(window.layout, window.digits, match[1])
    return window.even or (layout in _MOBILE_LAYOUTS and not window.digits.startswith("01"))


def _landline(window: _Window) -> bool:
    if not _LANDLINE.match(window.digits):
        return False
    national = window.digits.removeprefix("00").removeprefix("86")
    layout = _without_country(window.layout, window.digits, national) if national != window.digits else window.layout
    if not national.startswith("0"):  # +86 10 8888 8888: the area code comes without its zero
        national, layout = "0" + national, (layout[0] + 1, *layout[1:])
    if len(layout) == 1:
        return True
    return layout in _LANDLINE_LAYOUTS and (layout[0] == 3) == national.startswith(_SHORT_AREAS)


def _with_extension(text: str, start: int, end: int) -> PiiSpan:
    extension = _EXTENSION.match(text, end)
    return PiiSpan(kind="landline", start=start, end=extension.end() if extension else end)


def _card_layout(window: _Window) -> bool:
    if window.even or window.layout in {(4, 6, 5), (6, 13)}:
        return True
    return all(size == 4 for size in window.layout[:-1]) and window.layout[-1] <= 4


def luhn(digits: str) -> bool:
    """Tell whether the last digit is the check digit of ISO/IEC 7812."""
    total = 0
    for place, char in enumerate(reversed(digits)):
        value = int(char) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _identity(text: str, window: _Window) -> PiiSpan | None:
    """Return an identity card; one whose checksum fails but whose date is plausible is most likely a slip."""
    digits, end = window.digits, window.end
    if not (window.even or all(size >= 3 for size in window.layout)):
        return None
    if len(digits) == 17:
        gap = 1 if text[end : end + 1] in {" ", "-"} and set(window.layout) == {1} else 0
        if _CHECK_LETTER.match(text, end + gap) is None:
            return None
        digits, end = f"{digits}X", end + gap + 1
    if digits[:2] not in _PROVINCES:
        return None
    if len(digits) == 15 and len(window.layout) == 1 and _plausible("19" + digits[6:12]):
        return PiiSpan(kind="id_card_like", start=window.start, end=end)
    if len(digits) != 18 or not _plausible(digits[6:14]):
        return None
    kind = "id_card" if identity_check(digits) == digits[17] else "id_card_like"
    return PiiSpan(kind=kind, start=window.start, end=end)


def identity_check(digits: str) -> str:
    """Return the check character of GB 11643 for the first 17 digits."""
    return _ID_CHECK[sum(int(char) * weight for char, weight in zip(digits, _ID_WEIGHTS, strict=False)) % 11]


def _plausible(day: str) -> bool:
    try:
        return 1900 <= date(int(day[:4]), int(day[4:6]), int(day[6:])).year <= 2099
    except ValueError:
        return False
