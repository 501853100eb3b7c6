"""Masking: each span becomes a mark that keeps the sentence readable."""

from __future__ import annotations

from collections.abc import Sequence

from nlp_service.core.labelling import PiiSpan

MARKS = {
    "mobile": "[手机]",
    "landline": "[座机]",
    "phone": "[电话]",
    "id_card": "[身份证]",
    "id_card_like": "[证件号]",
    "bank_card": "[银行卡]",
    "email": "[邮箱]",
    "plate": "[车牌]",
    "address": "[地址]",
    "name": "[姓名]",
    "order_number": "[订单号]",
    "passport": "[护照]",
    "account": "[账号]",
    "ip": "[IP]",
}


def mask(text: str, spans: Sequence[PiiSpan]) -> str:
    """Return the text with each span replaced by the mark of its kind.

    Args:
        text: as it was sent.
        spans: ascending and apart, as find_pii returns them.
    """
    parts = []
    position = 0
    for span in spans:
        parts += [text[position : span.start], MARKS[span.kind]]
        position = span.end
    return "".join([*parts, text[position:]])
