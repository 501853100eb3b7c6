"""All personal data of a text as spans that never overlap."""

from __future__ import annotations

import re
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator

from nlp_service.core.labelling import PiiSpan
from nlp_service.core.privacy.addresses import find_addresses
from nlp_service.core.privacy.alphabet import fold
from nlp_service.core.privacy.cues import find_cued
from nlp_service.core.privacy.digits import find_numbers
from nlp_service.core.privacy.marks import find_emails, find_ips, find_plates
from nlp_service.core.privacy.names import find_names
from nlp_service.core.privacy.phones import find_phones

# Where two kinds claim the same characters, the one that is surer by its form comes first.
KINDS = (
    "id_card", "bank_card", "email", "mobile", "landline", "order_number", "passport", "id_card_like", "plate", "phone",
    "address", "name", "account", "ip",
)  # fmt: skip
_RANK = {kind: rank for rank, kind in enumerate(KINDS)}

# Marks that a hub or a masked corpus already put in: [电话x], [姓名], <ORDERID_100>, [ORDERID_10047423].
_PLACEHOLDER = re.compile(r"\[[^\[\]\s\d]{1,24}\]|\[(?:ORDER|USER)ID_\d+\]|<[A-Za-z_]{1,24}>|#E-s\d{1,4}")
_DIGIT = re.compile(r"\d")

_Finder = Callable[[str], Iterable[PiiSpan]]
_ON_DIGITS: tuple[_Finder, ...] = (find_numbers, find_cued, find_phones, find_plates, find_ips)
_ON_ANY: tuple[_Finder, ...] = (find_emails, find_names, find_addresses)


def find_pii(text: str) -> tuple[PiiSpan, ...]:
    """Return the personal data of a text, in order; offsets count characters of the text as it was sent.

    The longest of overlapping finds is kept. What stands inside a placeholder is left alone.
    """
    folded = fold(text)
    kept: list[tuple[int, int, str]] = sorted(
        (match.start(), match.end(), "") for match in _PLACEHOLDER.finditer(folded)
    )
    found = sorted(_candidates(folded), key=lambda span: (span.start - span.end, _RANK[span.kind], span.start))
    for span in found:
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
