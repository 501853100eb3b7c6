"""Rows become messages; turns get their context."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nlp_service.core.columns import ColumnMapping
from nlp_service.core.expand import Expander
from nlp_service.core.rows import Item, Origin, Row
from nlp_service.core.transcripts import split_cell

ORIGIN = Origin(name="f.jsonl", place=0, key="0123456789ab")


def expander(**columns: str) -> Expander:
    return Expander(ColumnMapping(columns=columns))


def one(made: Expander, **fields: Any) -> Item:
    [item] = made.expand(Row(origin=ORIGIN, number=7, fields=fields))
    return item


def test_a_plain_row() -> None:
    made = expander(text="t", sent_at="when", amount="sum", customer_id="c")
    fields = one(made, t="快递呢", when="2024年1月2日 9:30", sum="¥1,299.5", c=1001.0).fields
    assert fields is not None
    assert fields["id"] == "0123456789ab-7"
    assert fields["sent_at"].astimezone(UTC) == datetime(2024, 1, 2, 1, 30, tzinfo=UTC)
    assert (fields["amount"], fields["customer_id"]) == (1299.5, "1001")


@pytest.mark.parametrize(
    "written", ["2024-01-02T01:30:00Z", "1704159000", 1704159000000, "2024/1/2 09:30:00", "2024.1.2 09:30"]
)
def test_times_as_people_write_them(written: object) -> None:
    fields = one(expander(text="t", sent_at="w"), t="好", w=written).fields
    assert fields is not None
    assert fields["sent_at"] == datetime(2024, 1, 2, 1, 30, tzinfo=UTC)


def test_what_cannot_be_used_is_a_fault_with_its_reason() -> None:
    made = expander(text="t", sent_at="w", amount="a")
    assert one(made, t="  ").fault == "column 't' is empty"
    assert "is not understood" in (one(made, t="好", w="yesterday").fault or "")
    assert "is not a number" in (one(made, t="好", a="many").fault or "")
    [broken] = made.expand(Row(origin=ORIGIN, number=3, fault="not JSON"))
    assert broken.fault == "not JSON"


def test_empty_values_are_no_values_but_a_text_may_be_short() -> None:
    fields = one(expander(text="t", product="p"), t="无", p="N/A").fields
    assert fields is not None
    assert (fields["text"], fields["product"]) == ("无", None)


def test_turns_in_rows_know_the_turns_before() -> None:
    made = expander(text="t", speaker="s", conversation_id="c")
    told = [
        ("1", "客服", "您好"),
        ("2", "用户", "在吗"),
        ("1", "顾客", "快递呢"),
        ("1", "客服", "在路上"),
        ("1", "顾客", "快点"),
    ]
    items = [one(made, c=c, s=s, t=t) for c, s, t in told]
    assert [item.agent for item in items] == [True, False, False, True, False]
    assert [item.turn for item in items] == [1, 1, 2, 3, 4]
    contexts = [item.fields["context"] for item in items if item.fields is not None]
    assert contexts == [[], ["客服: 您好"], ["顾客: 快递呢", "客服: 在路上"]]
    assert "speaker 'X'" in (one(made, c="1", s="X", t="嗯").fault or "")


def test_a_nested_conversation() -> None:
    made = expander(turns="turns", conversation_id="c")
    turns = [
        {"speaker": "user", "text": "在吗"},
        {"speaker": "agent", "text": "在"},
        {"speaker": "user", "text": "退款"},
    ]
    items = made.expand(Row(origin=ORIGIN, number=1, fields={"c": "d-1", "turns": turns}))
    labelled = [item.fields for item in items if item.fields is not None]
    assert [(entry["id"], entry["context"]) for entry in labelled] == [
        ("d-1-1", []),
        ("d-1-3", ["顾客: 在吗", "客服: 在"]),
    ]
    assert one(made, c="d", turns=[{"text": "x"}]).fault == "turn 1 has no speaker"
    assert one(made, c="d", turns=[]).fault == "column 'turns' holds no turn"


def test_a_cell_with_marked_speakers() -> None:
    turns = split_cell("客服：您好，请讲。顾客: 快递呢？[客服01]：在路上\n用户：谢谢")
    assert [(turn.speaker, turn.text) for turn in turns] == [
        ("客服", "您好，请讲。"),
        ("顾客", "快递呢？"),
        ("客服", "在路上"),
        ("用户", "谢谢"),
    ]
    assert split_cell("我找客服说了三次") == ()
    items = expander(transcript="x").expand(Row(origin=ORIGIN, number=2, fields={"x": "没有标记的一句话"}))
    assert [item.fields["text"] for item in items if item.fields] == ["没有标记的一句话"]


def test_named_customers_make_everyone_else_an_agent() -> None:
    made = Expander(ColumnMapping(columns={"text": "t", "speaker": "s"}), customers=("Q",))
    assert not one(made, s="q", t="在吗").agent
    assert one(made, s="A", t="在的").agent
