"""Encodings: the right one, or none; never mojibake."""

from __future__ import annotations

import pytest

from nlp_service.core.encodings import decide_encoding

SIMPLIFIED = "快递三天没动了，再不到我就投诉。\n说明书看不懂，打电话也没人接！\n退款什么时候到账？客服态度很差。\n"
TRADITIONAL = "請問我的訂單什麼時候可以送到？\n說明書看不懂，客服電話也打不通。\n謝謝你們的幫忙，退款已經收到了。\n"
JAPANESE = "注文した商品がまだ届きません。\n説明書の意味がわかりにくいです。\nありがとうございました、助かりました。\n"
KOREAN = "주문한 상품이 아직 도착하지 않았어요.\n설명서를 이해할 수 없습니다.\n환불은 언제 되나요? 감사합니다.\n"
FRENCH = (
    "Le colis n'est pas arrivé à l'heure.\nJe suis très déçu, la notice est illisible.\nÇa marche pas, où est-il ?\n"
)
RUSSIAN = "Посылка до сих пор не пришла.\nИнструкция совершенно непонятна.\nКогда вернут деньги? Спасибо.\n"


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        (SIMPLIFIED, "gb18030", "gb18030"),
        (SIMPLIFIED, "gbk", "gb18030"),
        (TRADITIONAL, "big5", "big5"),
        (JAPANESE, "shift_jis", "shift_jis"),
        (JAPANESE, "euc_jp", "euc_jp"),
        (KOREAN, "euc_kr", "euc_kr"),
        (FRENCH, "cp1252", "cp1252"),
        (RUSSIAN, "cp1251", "cp1251"),
    ],
)
def test_an_encoding_that_is_not_utf8_is_found(text: str, encoding: str, expected: str) -> None:
    sample = text.encode(encoding)
    decision = decide_encoding(sample, broken_utf8_lines=3, lines=3)
    assert decision.encoding == expected, decision.why
    assert sample.decode(decision.encoding) == text


def test_a_short_chinese_text_is_not_korean() -> None:
    sample = "编号,内容\n1,快递怎么还没到\n".encode("gb18030")
    assert decide_encoding(sample, broken_utf8_lines=2, lines=2).encoding == "gb18030"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_byte_order_mark_decides(encoding: str) -> None:
    decision = decide_encoding(SIMPLIFIED.encode(encoding), broken_utf8_lines=2, lines=3)
    assert SIMPLIFIED.encode(encoding).decode(decision.encoding or "") == SIMPLIFIED


def test_valid_utf8_is_utf8() -> None:
    assert decide_encoding(SIMPLIFIED.encode(), broken_utf8_lines=0, lines=3).encoding == "utf-8"
    assert decide_encoding(b"plain", broken_utf8_lines=0, lines=1).encoding == "utf-8"


def test_a_few_broken_lines_do_not_make_another_encoding() -> None:
    sample = SIMPLIFIED.encode() * 10 + b"\xc3\xe6\xff\n"
    assert decide_encoding(sample, broken_utf8_lines=1, lines=31).encoding == "utf-8"


def test_noise_is_no_encoding() -> None:
    noise = bytes(range(128, 256)) * 20
    assert decide_encoding(noise, broken_utf8_lines=1, lines=1).encoding is None
