"""All personal data of a text as spans that never overlap."""

from __future__ import annotations

import re
import sys
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator, Sequence

from nlp_service.core.labelling import PiiSpan
from nlp_service.core.privacy.addresses import find_addresses
from nlp_service.core.privacy.alphabet import fold
from nlp_service.core.privacy.cues import find_cued
from nlp_service.core.privacy.digits import find_numbers
from nlp_service.core.privacy.marks import find_emails, find_ips, find_plates
from nlp_service.core.privacy.mask import MARKS, mask
from nlp_service.core.privacy.names import find_names
from nlp_service.core.privacy.phones import find_phones

# Where two kinds claim the same characters, the one that is surer by its form comes first.
KINDS = (
    "id_card", "bank_card", "email", "mobile", "landline", "order_number", "passport", "id_card_like", "plate", "phone",
    "address", "name", "account", "ip",
)  # fmt: skip
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}

# Marks that a hub, a masked corpus or we ourselves already put in: [电话x], [姓名], <ORDERID_100>, #E-s12.
_WORDS = "数字|订单|金额|日期|时间|站点|链接|组织机构|身份证号|订单编号|订单卡片"
_OURS = "|".join(re.escape(mark.strip("[]")) for mark in MARKS.values())
_PLACEHOLDER = re.compile(rf"\[(?:{_OURS}|{_WORDS})x?\]|\[(?:ORDER|USER)ID_\d+\]|<[A-Za-z_]{{1,24}}>|#E-s\d{{1,4}}")
MAX_ROUNDS = 6
_DIGIT = re.compile(r"\d")

_Finder = Callable[[str], Iterable[PiiSpan]]
_ON_DIGITS: tuple[_Finder, ...] = (find_numbers, find_cued, find_phones, find_plates, find_ips)
_ON_ANY: tuple[_Finder, ...] = (find_emails, find_names, find_addresses)


def find_pii(text: str) -> tuple[PiiSpan, ...]:
    """Return the personal data of a text, in order; offsets count characters of the text as it was sent.

    The longest of overlapping finds is kept. What stands inside a placeholder is left alone. A mark can uncover what
    was part of a longer run before, so the masked text is searched again until nothing more is found.
    """
    found: tuple[PiiSpan, ...] = ()
    for _ in range(MAX_ROUNDS):
        masked, pieces = _masked(text, found)
        more = _search(masked)
        if not more:
            break
        found = tuple(sorted((*found, *_moved(more, pieces)), key=lambda span: span.start))
    return found


def _masked(text: str, spans: Sequence[PiiSpan]) -> tuple[str, list[tuple[int, int]]]:
    """Return the masked text, and for each piece between marks where it starts in it and in the text."""
    pieces = []
    start = shrunk = 0
    for span in spans:
        pieces.append((start - shrunk, start))
        shrunk += span.end - span.start - len(MARKS[span.kind])
        start = span.end
    return mask(text, spans), [*pieces, (start - shrunk, start)]


def _moved(spans: Iterable[PiiSpan], pieces: list[tuple[int, int]]) -> Iterator[PiiSpan]:
    """Move spans of the masked text to where they are in the text; none crosses a mark."""
    for span in spans:
        masked_start, start = pieces[bisect_right(pieces, (span.start, sys.maxsize)) - 1]
        shift = start - masked_start
        yield PiiSpan(kind=span.kind, start=span.start + shift, end=span.end + shift)


def _search(text: str) -> tuple[PiiSpan, ...]:
    folded = fold(text)
    kept = sorted((match.start(), match.end(), "") for match in _PLACEHOLDER.finditer(folded))
    ranked = sorted(_candidates(folded), key=lambda span: (span.start - span.end, _RANK[span.kind], span.start))
    for span in ranked:
        if _free(kept, span):
            insort(kept, (span.start, span.end, span.kind))
    return tuple(PiiSpan(kind=kind, start=start, end=end) for start, end, kind in kept if kind)


def _candidates(folded: str) -> Iterator[PiiSpan]:
    finders = (*_ON_DIGITS, *_ON_ANY) if _DIGIT.search(folded) else _ON_ANY
    for find in finders:
        yield from find(folded)


def _free(kept: list[tuple[int, int, str]], span: PiiSpan) -> bool:
    place = bisect_left(kept, (span.start, span.start, ""))
    before = kept[place - 1] if place else (0, 0, "")
    after = kept[place] if place < len(kept) else (span.end, span.end, "")
    return before[1] <= span.start and span.end <= after[0]
