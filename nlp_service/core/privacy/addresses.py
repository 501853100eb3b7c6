"""Postal addresses: a chain of place names that narrows down to a door, or one that a cue announces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nlp_service.core.labelling import PiiSpan

# An element of an address by its last characters, with its rank from wide to narrow.
_ELEMENT = re.compile(
    r"(?P<r1>省|自治区|特别行政区|兵团)"
    r"|(?P<r2>市|自治州|地区|盟)"
    r"|(?P<r3>(?<![东西南北一二三四五六七八九十A-Za-z])[区區]|[县縣旗])"
    r"|(?P<r4>街道|镇|鎮|乡|鄉|办事处|开发区|工业园|科技园|产业园|园区)"
    r"|(?P<r5>大街|大道|公路|国道|省道|路|街|巷|弄|胡同|里弄|(?<![知味渠频管报难轨地])道)"
    r"|(?P<r6>(?<=[东西南北一二三四五六七八九十A-Za-z])[区區]|村|屯|小区|社区|花园|家园|公寓|大厦|大楼|广场|中心|苑|庭|府|新村|新城|嘉园|佳园|名都|名城|学校|大学|学院|中学|小学|医院|宿舍|公馆|山庄|酒店|商场|商城|超市|国际|城|庄|坊)"
    r"|(?P<r7>(?:\d{1,5}(?:-\d{1,4})?|[A-Za-z]\d{0,3}|[一二三四五六七八九十百东西南北]{1,4})(?:号院|号楼|号|號|栋|棟|幢|座|单元|單元|组|队|期|层"
    r"|樓|楼|室|房|门|户|弄)(?![码碼])|\d{1,4}-\d{1,4}(?:-\d{1,5})?(?!\d))"
)
_PROVINCE = re.compile(
    r"北京|上海|天津|重庆|河北|山西|辽宁|吉林|黑龙江|江苏|浙江|安徽|福建|江西|山东|河南|湖北|湖南|广东|海南|四川|贵州|云南|陕西|甘肃|青海|台湾|内蒙古|广西|西藏|宁夏|新疆|香港|澳门"
    r"|重慶|遼寧|黑龍江|江蘇|福建|廣東|貴州|雲南|陝西|甘肅|臺灣|台灣|寧夏|新疆|澳門|台北|臺北|新北|桃園|台中|臺中|高雄|台南|臺南"
    r"|广州|深圳|杭州|南京|苏州|武汉|成都|西安|郑州|长沙|青岛|宁波|东莞|佛山|合肥|沈阳|大连|厦门|福州|济南|无锡|昆明|哈尔滨|长春|石家庄|南昌|南宁|贵阳|太原|温州|珠海|惠州|中山|常州"
    r"|徐州|烟台|嘉兴|泉州|兰州|海口|呼和浩特|乌鲁木齐"
)
# Words that stand before an address and are no part of it.
_LEAD = re.compile(
    r"(?:地址|住址|收货地|寄送地|家|住|在|到|是|为|至|往|从|给|送|寄|发|改成|换成|改为|换到|改到|的|了|我|你|您|他|她|们|请|去|来|就|和|跟|把|叫|说|个|这|那|位于|公司"
    r"|麻烦|帮|修改|写|填|新|旧|错)"
)
_CUE = re.compile(
    r"(?:收货地址|收件地址|寄件地址|家庭地址|详细地址|联系地址|配送地址|公司地址|收貨地址|地址|住址|家住|住在|寄到|送到|发到|寄往|送至|寄至|配送至|改成|改到"
    r"|换成)[ ]{0,2}[是为改到成换:]{0,2}[ ]{0,2}"
)
_JOIN = re.compile(r"[ ,、\-()·]{0,2}\Z")
_PLACE = re.compile(r"[\u4e00-\u9fffA-Za-z0-9·]{0,9}\Z")
_UNBROKEN = re.compile(r"[\u4e00-\u9fffA-Za-z0-9·]*\Z")
_NAME = re.compile(r"[\u4e00-\u9fffA-Za-z0-9]{1,9}\Z")
_MAX_GAP = 11

_STREET = r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Lane|Ln|Drive|Dr|Court|Ct|Way|Place|Pl|Square|Sq|Terrace)"
_WESTERN = re.compile(
    rf"(?<![\w])\d{{1,5}}[A-Za-z]? (?:[A-Z][a-z]{{1,20}} ){{1,3}}{_STREET}\b\.?"
    r"(?:,? (?:Apt|Apartment|Suite|Unit|Flat"
    r"|#)\.? ?\w{1,6})?(?:, [A-Z][a-z]{1,20}(?: [A-Z][a-z]{1,20})?)?(?:,? [A-Z]{2} \d{5}(?:-\d{4})?)?"
    r"|(?<![\w])(?:[A-ZÄÖÜ][a-zäöüß]{1,20}(?:straße|strasse|str\.|weg|platz|allee)|(?:Calle|Rua|Avenida|Avda\."
    r"|Rue|ул\.|улица|Jalan|Jl\.|Đường)"
    r"(?: (?:de|la|del|da|do|dos|du"
    r"|des)){0,2} [A-ZÁÉÍÓÚА-ЯĐ][\w\-]{1,20}(?: [A-ZÁÉÍÓÚА-ЯĐ][\w\-]{1,20})?),? (?:n[ºo°]\.? ?|No\. ?|д\. ?"
    r"|дом )?\d{1,4}[a-z]?\b"
    r"(?:,? \d{5} [A-ZÄÖÜ][a-zäöüß]{1,20})?"
)
_JAPANESE = re.compile(
    r"(?:東京都|北海道|(?:京都|大阪)府"
    r"|[\u4e00-\u9fff]{2,3}県)[\u4e00-\u9fff\u3041-\u30ffー]{1,12}?[市区町村郡][\u4e00-\u9fff\u3041-\u30ffー]{0,12}"
    r"(?:\d{1,4}(?:丁目|番地?|号|-)){1,3}\d{0,4}(?:号室|号)?"
)
_KOREAN = re.compile(
    r"(?:[\uac00-\ud7a3]{1,6}(?:특별시|광역시|도|시|군|구) ?){1,3}[\uac00-\ud7a3\d]{1,10}(?:로|길"
    r"|동) ?\d{1,4}(?:-\d{1,4})?(?:번길|번지|호)?(?: ?\d{1,4}동)?(?: ?\d{1,5}호)?"
)


@dataclass(frozen=True, kw_only=True)
class _Element:
    rank: int  # 1 province … 6 estate, 7 numbered part
    start: int  # of the marking characters
    end: int


def find_addresses(text: str) -> Iterator[PiiSpan]:
    for chain in _chains(text):
        span = _address(text, chain)
        if span is not None:
            yield span
    for pattern in (_WESTERN, _JAPANESE, _KOREAN):
        for match in pattern.finditer(text):
            yield PiiSpan(kind="address", start=match.start(), end=match.end())


def _chains(text: str) -> Iterator[list[_Element]]:
    """Yield runs of elements with nothing but short names between them, never going back to a wider rank."""
    chain: list[_Element] = []
    for match in _ELEMENT.finditer(text):
        element = _Element(rank=int((match.lastgroup or "r0")[1]), start=match.start(), end=match.end())
        if chain and not _follows(text, chain, element):
            yield chain
            chain = []
        chain.append(element)
    if chain:
        yield chain


def _follows(text: str, chain: list[_Element], element: _Element) -> bool:
    last = chain[-1]
    gap = text[last.end : element.start]
    if len(gap) > _MAX_GAP:
        return False
    if element.rank == 7:
        widest = 4 if last.rank == 7 else 0
        return (bool(_JOIN.match(gap)) or (0 < len(gap) <= widest and _is_name(gap))) and last.rank >= 4
    if element.rank < last.rank and not (last.rank == 7 and element.rank == 6) and last.rank != 6:
        return False
    if element.rank < last.rank and element.rank < 5:
        return False
    return gap == "" or _is_name(gap.strip(" ,、-"))


def _is_name(gap: str) -> bool:
    return bool(_NAME.match(gap)) and not _LEAD.match(gap)


def _address(text: str, chain: list[_Element]) -> PiiSpan | None:
    """Return the span of a chain that points at a door or a street, else None."""
    while chain and chain[0].rank == 7:
        chain = chain[1:]
    if not chain:
        return None
    start, anchored = _beginning(text, chain[0])
    ranks = {element.rank for element in chain}
    named = sum(rank <= 6 for rank in ranks)
    doors = sum(element.rank == 7 for element in chain)
    numbered = doors > 0
    area = bool(ranks & {1, 2, 3, 4})
    narrow = bool(ranks & {5, 6})
    cued = _CUE.search(text, max(0, start - 12), start) is not None
    certain = (
        (numbered and narrow and (area or anchored or cued or 5 in ranks or doors >= 2))
        or (numbered and 4 in ranks and named >= 2)
        or (narrow and (anchored or area) and (named >= 3 or (cued and named >= 2)))
    )
    if not certain or start >= chain[0].start:
        return None
    return PiiSpan(kind="address", start=start, end=_door(text, chain[-1].end))


def _door(text: str, end: int) -> int:
    """Extend over a bare door number such as 3栋1201."""
    match = re.compile(r"[ \-]?\d{2,4}(?![\d年月日元块点个件天%.:])").match(text, end)
    return match.end() if match else end


def _beginning(text: str, first: _Element) -> tuple[int, bool]:
    """Return where the name of the first element begins, and whether a known province or city says so."""
    low = max(0, first.start - 12)
    before = text[low : first.start]
    for known in _PROVINCE.finditer(text, low, first.end):
        if _UNBROKEN.match(text[known.start() : first.start]):
            return known.start(), True
    place = _PLACE.search(before)
    start = low + (place.start() if place else len(before))
    lead_end = start
    for match in _LEAD.finditer(text, start, first.start):
        lead_end = match.end()
    return max(start, lead_end, first.start - 6), False
