"""Columns guessed from names in two languages and from content."""

from __future__ import annotations

import pytest

from nlp_service.core.columns import guess_mapping
from nlp_service.errors import InputError

TEXTS = ("快递怎么还没到", "说明书看不懂", "退款多久到账")


def guess(**columns: list[object]) -> dict[str, str]:
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return dict(guess_mapping(list(columns), rows).columns)


def test_names_in_both_languages() -> None:
    found = guess(
        评价内容=list(TEXTS), 订单金额=["12.5", "¥1,200", "-"], 发送时间=["2024/1/2 3:04"] * 3, 客户ID=[1, 2, 3]
    )
    assert found == {"text": "评价内容", "amount": "订单金额", "sent_at": "发送时间", "customer_id": "客户ID"}
    assert guess(Message_ID=["a", "b", "c"], Content=list(TEXTS)) == {"id": "Message_ID", "text": "Content"}


def test_text_is_found_by_content_where_no_name_says_so() -> None:
    found = guess(col_a=["A1", "A2", "A3"], col_b=list(TEXTS), col_c=["2024-01-02", "2024-01-03", "2024-01-04"])
    assert found == {"text": "col_b", "sent_at": "col_c"}


def test_a_name_with_other_content_is_not_believed() -> None:
    assert guess(content=[1, 2, 3], words=list(TEXTS))["text"] == "words"
    assert "speaker" not in guess(text=list(TEXTS), source=["app", "web", "app"], role=["x", "y", "z"])


def test_transcripts_in_three_forms() -> None:
    cell = "客服：您好 顾客：快递呢 客服：在路上"
    assert guess(call=["1", "2"], body=[cell, cell])["transcript"] == "body"
    turns = [{"role": "user", "content": "在吗"}, {"role": "assistant", "content": "在的"}]
    assert guess(session_id=["1"], dialog=[turns]) == {"conversation_id": "session_id", "turns": "dialog"}
    rows = guess(session=["1", "1"], 角色=["顾客", "客服"], 内容=["在吗", "在的"])
    assert rows == {"conversation_id": "session", "speaker": "角色", "text": "内容"}


def test_what_was_given_stands_and_is_checked() -> None:
    rows = [{"a": "一句话在这里", "b": "另一句话"}]
    assert guess_mapping(["a", "b"], rows, given={"text": "b"}).columns["text"] == "b"
    with pytest.raises(InputError, match="column 'c' does not exist"):
        guess_mapping(["a", "b"], rows, given={"text": "c"})
    with pytest.raises(InputError, match="field 'txt'"):
        guess_mapping(["a", "b"], rows, given={"txt": "a"})


def test_no_text_at_all_is_refused_with_the_columns() -> None:
    with pytest.raises(InputError, match="the columns are n, m"):
        guess_mapping(["n", "m"], [{"n": 1, "m": 2.5}])
