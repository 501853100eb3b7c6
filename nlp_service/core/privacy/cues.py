"""Numbers that only the words before them make personal: order, passport, account, phone, card."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nlp_service.core.labelling import PiiSpan

_TOKEN = re.compile(r"[A-Za-z0-9_]+(?:[ \-][A-Za-z0-9_]+)*")
_LOOK_BACK = 28  # characters before a number in which its cue may stand
_MAX_TOKEN = 48

_FILLER = r"[\s:#=是为為はが(（「【\"'号號nNoO.°º]{0,8}\Z"

_STRONG_ORDER = (
    r"(?:订单|訂單|运单|運單|快递|快遞|物流|包裹|工单|服务单|售后单|退款单|退货单|交易|流水|单|案件|受理|合同|保单)(?:编号|編號|号码|號碼|单号|單號|号|號)"
    r"|order (?:no\.?|number|num|id|#)|order ?#|tracking (?:no\.?|number|id)|parcel (?:no\.?|number)"
    r"|case (?:number|id)"
    r"|(?:注文|伝票|追跡|受付|お問い合わせ|問い合わせ|予約)番号|(?:주문|송장|운송장|접수) ?번호"
    r"|(?:número|numero|nº|n°|num\.?) (?:de |do )?(?:pedido|orden|seguimiento|encomenda|rastreio)|pedido (?:nº"
    r"|n°|no|número)"
    r"|bestellnummer|bestell-?nr\.?|auftragsnummer|sendungsnummer|numéro de (?:commande|suivi)|n° de commande"
    r"|номер\w* (?:заказа|отправления|накладной)|трек-?номер\w*|mã (?:đơn hàng|đơn|vận đơn)|số đơn(?: hàng)?"
    r"|(?:nomor|no\.?) (?:pesanan|resi|order)|resi|หมายเลข(?:คำสั่งซื้อ|พัสดุ|ออเดอร์)|เลข(?:พัสดุ|ออเดอร์"
    r"|ที่ออเดอร์)|رقم (?:الطلب|الشحنة|التتبع|الطلبية)"
)
_WEAK_ORDER = (
    r"订单|訂單|运单|運單|快递|快遞|物流|包裹|orders?|parcel|tracking|注文|주문|pedido|encomenda|bestellung|auftrag|commande"
    r"|заказ\w*|đơn(?: hàng)?|pesanan|ออเดอร์|คำสั่งซื้อ|طلب|الطلب|طلبي"
)
_PASSPORT = (
    r"护照|護照|通行证|通行證|passport|パスポート|여권|pasaporte|reisepass|passeport"
    r"|паспорт\w*|passaporte|paspor|hộ chiếu"
    r"|หนังสือเดินทาง|جواز(?: السفر)?"
)
_ACCOUNT = r"微信号?|wechat|weixin|vx|wx|qq|扣扣|支付宝(?:账号)?|line ?id|telegram"
_CARD = (
    r"银行卡|銀行卡|信用卡|储蓄卡|借记卡|卡号|卡號|card (?:number|no\.?)|账号|帳號|账户|iban|カード番号"
    r"|카드 ?번호|tarjeta|karten?nummer"
    r"|номер\w* карты|cartão|kartu"
)
_IDENTITY = r"身份证|身份證|身分证|身分證|证件|id card|주민(?:등록)?번호"
_PHONE = (
    r"电话|電話|手机|手機|座机|联系方式|联络方式|联系我|打给我|来电|致电|\btel|phone|mobile|cell"
    r"|whatsapp|call me (?:at|on)|携帯|전화|휴대폰|연락처"
    r"|tel[ée]fono|m[óo]vil|celular|telefone|telefon|handy|t[ée]l[ée]phone|portable|тел\w*\.?|мобильн\w*"
    r"|số điện thoại|sđt|đt|telp\.?|telepon"
    r"|no\.? hp|\bhp|nomor|โทร(?:ศัพท์)?|เบอร์|هاتف|جوال|موبايل|هاتفي|رقمي"
)
_HAN = re.compile(r"[\u4e00-\u9fff]")


def _cue(words: str) -> re.Pattern[str]:
    return re.compile(f"(?:{words}){_FILLER}", re.IGNORECASE)


# Kind, cue, and what the number itself must look like; the first that fits decides.
_KINDS: tuple[tuple[str, re.Pattern[str], re.Pattern[str]], ...] = (
    ("passport", _cue(f"(?:{_PASSPORT})(?:号码|号|號碼|番号|번호| number| no\\.?)?"),
     re.compile(r"[A-Za-z]{0,2}\d{6,10}\Z")),
    ("id_card_like", _cue(f"(?:{_IDENTITY})(?:号码|号|號碼)?"), re.compile(r"[A-Za-z]?\d{8,17}[\dXx]\Z")),
    ("bank_card", _cue(f"(?:{_CARD})(?:号码|号|號碼)?"), re.compile(r"\d{4}(?:[ \-]?\d){8,15}\Z")),
    ("order_number", _cue(_STRONG_ORDER), re.compile(r"(?=(?:[A-Za-z\-]*\d){5})[A-Za-z0-9][A-Za-z0-9\-]{4,31}\Z")),
    ("phone", _cue(f"(?:{_PHONE})(?:号码|号|號碼|番号|번호)?"), re.compile(r"\d(?:[ \-]?\d){6,12}\Z")),
    ("account", _cue(_ACCOUNT), re.compile(r"(?:[1-9]\d{4,11}|[A-Za-z][A-Za-z0-9_\-]{5,19})\Z")),
    ("order_number", _cue(_WEAK_ORDER), re.compile(r"(?=(?:[A-Za-z\-]*\d){9})[A-Za-z]{0,4}\d[A-Za-z0-9\-]{8,31}\Z")),
)  # fmt: skip
_AFTER_ORDER = re.compile(r"[ ]?(?:这个|这|的|那个)?[ ]?(?:订单|訂單|单号|运单)")
_LONG_NUMBER = re.compile(r"\d{9,20}\Z")
_HOTLINE = re.compile(r"(?:400|800)[ \-]?\d{3,4}[ \-]?\d{3,4}\Z|9\d{4,5}\Z|1\d{4}\Z|1[012]\d\Z")


def find_cued(text: str) -> Iterator[PiiSpan]:
    """Yield what follows a cue; each token is looked at once, with a bounded look back."""
    for token in _TOKEN.finditer(text):
        if token.end() - token.start() < 5:
            continue
        kind_end = _kind(text, token)
        if kind_end is not None:
            yield PiiSpan(kind=kind_end[0], start=token.start() + kind_end[1], end=token.start() + kind_end[2])


def _kind(text: str, token: re.Match[str]) -> tuple[str, int, int] | None:
    """Return the kind with the extent within the token."""
    whole = token[0][:_MAX_TOKEN]
    for start, end in _extents(whole):
        number = whole[start:end]
        if not any(char.isdigit() for char in number):
            continue
        at = token.start() + start
        before = text[max(0, at - _LOOK_BACK) : at]
        for kind, cue, form in _KINDS:
            if form.match(number) and cue.search(before) and not (kind == "phone" and _HOTLINE.match(number)):
                return kind, start, end
        if _LONG_NUMBER.match(number) and _AFTER_ORDER.match(text, token.start() + end):
            return "order_number", start, end
    return None


def _extents(token: str) -> Iterator[tuple[int, int]]:
    """Yield the whole token, then what follows the words in it that may be the cue, then single parts."""
    yield 0, len(token)
    parts = [match.span() for match in re.finditer(r"[A-Za-z0-9_\-]+", token)]
    first = next((start for start, end in parts if any(char.isdigit() for char in token[start:end])), None)
    if first is not None:
        yield first, len(token)
    yield from parts[:8]
