"""What shows by its own characters: e-mail, licence plate, IP address."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_service.core.labelling import PiiSpan

_LOCAL = re.compile(r"[A-Za-z0-9._%+\-]{1,64}\Z")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9\-]{0,61}[A-Za-z0-9])?\.){1,8}[A-Za-z]{2,24}")

_PLATE = re.compile(
    r"(?P<province>[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼])[ ]?(?P<city>[A-HJ-NP-Za-hj-np-z])"
    r"(?P<dot>[·. \-]?)"
    r"(?P<tail>[DFdf][A-HJ-NP-Za-hj-np-z0-9]\d{4}|\d{5}[DFdf]|[A-HJ-NP-Za-hj-np-z0-9]{4}[A-HJ-NP-Za-hj-np-z0-9挂学警港澳])"
    r"(?![A-Za-z0-9])"
)
# 新 is "new" far more often than Xinjiang, 云, 青, 宁, 川 and 贵 end other words: there a dot or a cue must say so.
_AMBIGUOUS_PROVINCES = frozenset("新云青宁川贵黑")
_PLATE_CUE = re.compile(r"车牌|車牌|车号|牌照|牌号|司机|车辆|的车|辆车")

_IP = re.compile(r"(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\d.]*\d|[ ]?版)")
_VERSION_CUE = re.compile(r"(?:版本|固件|系统|[vV]|[Vv]ers(?:ion|ão|ión)|firmware|ver\.?)[号为是: ]{0,3}\Z")


def find_emails(text: str) -> Iterator[PiiSpan]:
    """Look outwards from each @, so that no long run of letters is read twice."""
    at = text.find("@")
    while at != -1:
        local = _LOCAL.search(text, max(0, at - 64), at)
        domain = _DOMAIN.match(text, at + 1)
        if local is not None and domain is not None:
            start = local.start() + (len(local[0]) - len(local[0].lstrip(".-%+")))
            if start < at:
                yield PiiSpan(kind="email", start=start, end=domain.end())
        at = text.find("@", at + 1)


def find_plates(text: str) -> Iterator[PiiSpan]:
    for match in _PLATE.finditer(text):
        digits = sum(char.isdigit() for char in match["tail"])
        said = _PLATE_CUE.search(text, max(0, match.start() - 12), match.start()) is not None
        if digits < 2 or (match["dot"] in {" ", "-", "."} and digits < 3):
            continue
        if not said and match["province"] in _AMBIGUOUS_PROVINCES and match["dot"] != "·":
            continue
        yield PiiSpan(kind="plate", start=match.start(), end=match.end())


def find_ips(text: str) -> Iterator[PiiSpan]:
    for match in _IP.finditer(text):
        if _VERSION_CUE.search(text, max(0, match.start() - 10), match.start()) is None:
            yield PiiSpan(kind="ip", start=match.start(), end=match.end())
