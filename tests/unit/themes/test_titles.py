"""Names: titles cut from what customers said, phrases that occur, quotes unlike one another; and written titles."""

from __future__ import annotations

import httpx
import numpy as np
import pytest

from nlp_service.adapters.segmentation import Segmentation
from nlp_service.adapters.title_writer import TitleWriter
from nlp_service.core.themes.name import Voice, clean_clause, name_themes
from nlp_service.core.themes.phrases import key_phrases
from nlp_service.core.themes.values import Name, Quote

NAME = Name(title="说明书看不懂", phrases=("说明书",), quotes=(Quote(message_id="1", text="看不懂"),), language="zh")


@pytest.fixture(scope="module")
def segmentation() -> Segmentation:
    return Segmentation.load()


def voices(texts: list[str], language: str = "zh") -> list[Voice]:
    random = np.random.default_rng(0)
    return [
        Voice(
            message_id=str(i),
            text=text,
            language=language,
            similarity=0.9 - 0.001 * i,
            embedding=random.standard_normal(8).astype(np.float32),
        )
        for i, text in enumerate(texts)
    ]


MANUAL = ["你好，说明书看不懂", "请问说明书看不懂怎么办啊", "说明书看不懂，字也小", "这个说明书写得看不懂呢"] * 3
DELAY = ["快递一直不动", "我的快递怎么一直不动", "快递一直不动，急死了", "为什么快递一直不动啊"] * 3
FEES = ["I was charged twice for one order", "why was I charged twice", "charged twice again, please help"] * 3


def test_titles_say_the_matter(segmentation: Segmentation) -> None:
    named = name_themes([voices(MANUAL), voices(DELAY), voices(FEES, "en")], segmentation.words)

    assert named[0].title == "说明书看不懂"
    assert named[1].title == "快递一直不动"
    assert "charged twice" in named[2].title
    assert named[2].language == "en"


def test_a_title_is_always_said_by_a_customer(segmentation: Segmentation) -> None:
    for name, texts in zip(
        name_themes([voices(MANUAL), voices(DELAY)], segmentation.words), (MANUAL, DELAY), strict=True
    ):
        assert any(name.title in text for text in texts)


def test_quotes_are_distinct_and_three(segmentation: Segmentation) -> None:
    quotes = name_themes([voices(MANUAL)], segmentation.words)[0].quotes
    assert len({quote.text for quote in quotes}) == 3


def test_phrases_stand_in_the_messages(segmentation: Segmentation) -> None:
    words = [[segmentation.words(text, "zh") for text in texts] for texts in (MANUAL, DELAY)]
    for theme, texts in zip(key_phrases(words), (MANUAL, DELAY), strict=True):
        assert theme
        assert all(any(phrase in text for text in texts) for phrase, _ in theme)


@pytest.mark.parametrize(
    ("clause", "cleaned"),
    [
        ("你好请问说明书看不懂啊", "说明书看不懂"),
        ("那个快递没到呢谢谢", "快递没到"),
        ("hidden fee", "hidden fee"),
        ("please cancel it", "cancel it"),
        ("", ""),
    ],
)
def test_fillers_are_cut(clause: str, cleaned: str) -> None:
    assert clean_clause(clause) == cleaned


def test_words_of_many_languages(segmentation: Segmentation) -> None:
    assert "看不懂" in segmentation.words("说明书看不懂", "zh")
    assert segmentation.words("My Wi-Fi doesn't work!", "en") == ["my", "wi-fi", "doesn't", "work", "!"]
    assert "返品" in segmentation.words("返品したいです", "ja")
    assert segmentation.words("[手机]打不通", "zh") == ["打不通"]
    assert segmentation.words("", "zh") == []


@pytest.mark.parametrize(
    ("content", "title"),
    [("“说明书太难懂”", "说明书太难懂"), ("", None), ("两行\n标题", None), ("太" * 40, None)],
)
def test_a_written_title_is_taken_only_where_it_is_one(content: str, title: str | None) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer k"
        return httpx.Response(200, json={"choices": [{"message": {"content": content}}]})

    writer = TitleWriter(url="http://localhost/v1", model="m", key="k", transport=httpx.MockTransport(answer))
    assert writer(NAME) == title
    writer.close()


@pytest.mark.parametrize("status", [500, 404])
def test_a_failing_endpoint_changes_nothing(status: int) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text="no"))
    writer = TitleWriter(url="http://localhost/v1/", model="m", transport=transport)
    assert writer(NAME) is None
    writer.close()
