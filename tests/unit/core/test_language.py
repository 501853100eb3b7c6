"""Languages: what scripts and words decide, and what stays unclear."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.adapters.language import LanguageIdentifier
from nlp_service.core.decision import prepare
from nlp_service.core.messages import Message
from nlp_service.errors import ConfigurationError

SERVED = ("zh", "en", "ja", "ko", "es", "de", "fr", "ru", "pt", "th", "vi", "id", "ar")


@cache
def identifier(default: str | None = None) -> LanguageIdentifier:
    return LanguageIdentifier.load(SERVED, default)


@pytest.mark.parametrize(
    ("text", "code", "script"),
    [
        ("快递什么时候到", "zh", "Hans"),
        ("訂單什麼時候到", "zh", "Hant"),
        ("谢谢", "zh", "Hans"),
        ("唔該幾時送到", "zh", "Hant"),
        ("VIP什么时候到期", "zh", "Hans"),
        ("tk 退款", "zh", "Hans"),
        ("T恤 XL", "zh", "Hans"),
        ("我想问一下iPhone 15 Pro Max 256GB", "zh", "Hans"),
        ("优の良品什么时候发货", "zh", "Hans"),
        ("好的(｡･ω･｡)ﾉ", "zh", "Hans"),
        ("wo yao tui kuan", "zh", "Latn"),
        ("商品が届きません", "ja", "Jpan"),
        ("残高3,650円なんだけど", "ja", "Jpan"),
        ("返品希望", "ja", "Jpan"),
        ("領収書希望", "ja", "Jpan"),
        ("배송이 너무 느려요", "ko", "Hang"),
        ("สินค้ายังไม่ถึง", "th", "Thai"),
        ("где мой заказ", "ru", "Cyrl"),
        ("أين طلبي", "ar", "Arab"),
        ("where is my order", "en", "Latn"),
        ("I AM VERY ANGRY", "en", "Latn"),
        ("What does 包邮 mean on this page", "en", "Latn"),
        ("refund pls", "en", "Latn"),
        ("¿dónde está mi pedido?", "es", "Latn"),
        ("Hola", "es", "Latn"),
        ("Hallo, wo ist mein Paket", "de", "Latn"),
        ("où est mon colis", "fr", "Latn"),
        ("onde está minha encomenda", "pt", "Latn"),
        ("đơn hàng của tôi đâu", "vi", "Latn"),
        ("saya mau batalkan pesanan", "id", "Latn"),
    ],
)
def test_served(text: str, code: str, script: str) -> None:
    language = identifier().identify(text)
    assert (language.code, language.script, language.supported) == (code, script, True)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ciao, dov'è il mio pacco", "it"),
        ("gdzie jest moja paczka", "pl"),
        ("siparişim nerede kaldı", "tr"),
        ("waar blijft mijn pakket", "nl"),
        ("saya nak batalkan pesanan sebab tak sampai", "ms"),
        ("πού είναι η παραγγελία μου", "el"),
        ("де мій пакунок", "uk"),
        ("дзе мой пакет, ці ён ужо прыйшоў, ўсё", "be"),
        ("سفارش من کجاست", "fa"),
        ("میرا آرڈر کہاں ہے", "ur"),
        ("मेरा ऑर्डर कहाँ है", "hi"),
        ("איפה ההזמנה שלי", "he"),
    ],
)
def test_unserved_says_so(text: str, code: str) -> None:
    language = identifier().identify(text)
    assert (language.code, language.supported) == (code, False)


@pytest.mark.parametrize("text", ["ok", "yyds", "iPhone 15", "123456", "😀😀", "!!!", "", "A", "RTX4090", "4471902836"])
def test_unclear_without_a_default_and_the_default_with_one(text: str) -> None:
    assert identifier().identify(text).code == "und"
    language = identifier("zh").identify(text)
    assert (language.code, language.supported, language.confidence) == ("zh", True, 0.5)


def test_a_default_must_be_served() -> None:
    with pytest.raises(ConfigurationError, match="'it' is not served"):
        LanguageIdentifier.load(SERVED, "it")


def test_a_neighbour_can_be_served() -> None:
    assert LanguageIdentifier.load((*SERVED, "it")).identify("ciao, dov'è il mio pacco").supported


@pytest.mark.parametrize(
    ("text", "context", "code"),
    [
        ("ok", ("客服: where should we send it?",), "en"),
        ("iPhone 15", ("顾客: ¿tienen teléfonos nuevos?", "客服: sí, ¿qué modelo busca?"), "es"),
        ("ok", (), "zh"),
        ("ok", ("客服: 123",), "zh"),
        ("好的", ("客服: where should we send it?",), "zh"),
        ("gracias", ("客服: where should we send it?",), "es"),
    ],
)
def test_what_shows_no_language_takes_that_of_the_turns_before(text: str, context: tuple[str, ...], code: str) -> None:
    message = Message(id="m", text=text, context=context)
    assert prepare(message, identifier("zh").identify).language.code == code


@given(st.text(max_size=80))
def test_any_text_has_an_answer(text: str) -> None:
    language = identifier().identify(text)
    assert 0.0 <= language.confidence <= 1.0
    assert language.supported == (language.code in SERVED)
    assert identifier().identify(text) == language
