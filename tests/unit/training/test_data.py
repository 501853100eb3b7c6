"""Splits, annotations, the compact format and batches."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from nlp_service.contract.corpus import Record
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.errors import ConfigurationError, CorpusError
from training.data.annotations import join_annotations, write_annotations
from training.data.assemble import require_sets
from training.data.batches import EOS, Tokens, collate, join, plan
from training.data.compact import read_labels, read_written
from training.data.examples import Example, content_key, from_record
from training.data.sets import read_service
from training.data.splits import SHORT, split_validation
from training.recipe import DataRecipe, load_recipe
from training.taxonomies import main as write_command


def examples(count: int) -> list[Example]:
    rng = random.Random(5)
    letters = "退货款换发票快递到了没有收投诉"
    texts = ["".join(rng.choices(letters, k=rng.randint(2, 12))) for _ in range(count)]
    return [Example(text=text, group=f"d{i // 4}") for i, text in enumerate(texts)]


def test_a_conversation_is_on_one_side_and_no_long_text_on_both() -> None:
    train, validation = split_validation([*examples(600), Example(text="三天了还没有发货呢1", group="x")], 0.2)
    assert validation
    assert not {e.group for e in train} & {e.group for e in validation}
    kept = {content_key(e.text) for e in validation if len(content_key(e.text)) >= SHORT}
    assert not kept & {content_key(e.text) for e in train}


def test_content_key_sees_through_digits_case_and_punctuation() -> None:
    assert content_key("订单 123,发了吗?") == content_key("订单456 发了吗！")
    assert content_key("OK啦") == content_key("ok 啦~")


def test_a_second_intent_takes_a_share_of_the_target(taxonomy: Taxonomy) -> None:
    record = Record(text="鞋子开胶了我要退货", intent="return_request", intent2="product_defect", flags=())
    target = from_record(record, taxonomy).intent
    assert target is not None
    assert sum(target.values()) == pytest.approx(1.0)
    assert max(target, key=lambda i: target[i]) == list(taxonomy.intents).index("return_request")


def test_annotations_carry_no_text_and_find_theirs(tmp_path: Path, taxonomy: Taxonomy) -> None:
    example = Example(text="发票怎么还没开", context="客服: 您好", source="jddc_raw", group="d1")
    labels = {
        "intent": "invoice",
        "sentiment": -1,
        "emotion": "anxiety",
        "priority": "normal",
        "flags": ("repeat_contact",),
    }
    path = tmp_path / "a.jsonl"
    assert write_annotations([(example, labels)], path) == 1
    assert "发票" not in path.read_text(encoding="utf-8")
    found, lost = join_annotations(path, [example, Example(text="别的")], taxonomy)
    assert lost == 0
    assert found[0].text == example.text
    assert found[0].context == example.context
    assert found[0].flags == (taxonomy.flags.index("repeat_contact"),)
    assert join_annotations(path, [Example(text="别的")], taxonomy) == ([], 1)


def test_written_messages_are_read_with_context(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = tmp_path / "zh.txt"
    path.write_text(
        "## delivery_delay\n-1 | a | n | repeat | - | 催了三遍了 | 顾客: 到哪了 | 客服: 在路上\n", encoding="utf-8"
    )
    [record] = read_written(path, "zh", taxonomy)
    assert (record.intent, record.sentiment, record.emotion, record.flags) == (
        "delivery_delay",
        -1,
        "anger",
        ("repeat_contact",),
    )
    assert record.context == ("顾客: 到哪了", "客服: 在路上")


@pytest.mark.parametrize(
    "line",
    [
        "-1 | a | n | - | - | no section",
        "## invoice\n0 | z | n | - | - | text",
        "## nothing\n",
        "## invoice\n0 | n | n",
    ],
)
def test_a_wrong_written_line_is_named(tmp_path: Path, taxonomy: Taxonomy, line: str) -> None:
    path = tmp_path / "zh.txt"
    path.write_text(line, encoding="utf-8")
    with pytest.raises(CorpusError, match=r"zh\.txt:\d"):
        list(read_written(path, "zh", taxonomy))


def test_label_lines(tmp_path: Path, taxonomy: Taxonomy) -> None:
    path = tmp_path / "a.labels"
    path.write_text("17 delivery_delay -1 a n repeat,churn refund_request\n", encoding="utf-8")
    [(number, labels)] = read_labels(path, taxonomy)
    assert number == 17
    assert labels["flags"] == ("repeat_contact", "churn_risk")
    assert labels["intent2"] == "refund_request"


def test_the_context_gives_way_first_and_keeps_its_end() -> None:
    tokens = join(list(range(10, 20)), list(range(50, 80)), max_tokens=20, max_context=96)
    assert len(tokens.ids) == 20
    assert tokens.ids[:12] == (0, *range(10, 20), EOS)
    assert tokens.ids[12:] == (*range(73, 80), EOS)
    assert join(list(range(10, 60)), [99], max_tokens=20, max_context=96).ids[-1] == EOS


def test_batches_lose_nothing_and_keep_the_budget() -> None:
    rng = random.Random(3)
    tokens = [Tokens(ids=tuple(range(rng.randint(3, 60))), boundary=2) for _ in range(500)]
    batches = plan(tokens, list(range(500)), 256, rng)
    assert sorted(i for batch in batches for i in batch) == list(range(500))
    assert all(len(batch) * max(len(tokens[i].ids) for i in batch) <= 256 for batch in batches)


def test_token_types_mark_the_context() -> None:
    batch = collate([join([10, 11], [20], 16, 8), join([10], [], 16, 8)], [0, 1])
    assert batch.token_type_ids.tolist() == [[0, 0, 0, 0, 1, 1], [0] * 6]
    assert batch.attention_mask.sum(1).tolist() == [6, 3]


def test_missing_sets_are_named_and_refused(tmp_path: Path) -> None:
    recipe = DataRecipe(service=("service_messages",), sets={"banking77": 5})
    with pytest.raises(CorpusError, match="banking77, service_messages"):
        require_sets(recipe, tmp_path, allow_missing=False)
    assert require_sets(recipe, tmp_path, allow_missing=True).sets == {}


def test_recipes_of_the_repository_load_and_unknown_keys_do_not(tmp_path: Path) -> None:
    for path in Path("training/recipes").glob("*.yaml"):
        assert load_recipe(path).name == path.stem
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("name: x\ntrain:\n  epoch: 3\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="epoch"):
        load_recipe(wrong)
    assert load_recipe(Path("training/recipes/tiny.yaml"), {"train.epochs": "2"}).train.epochs == 2


def test_other_peoples_labels_become_a_taxonomy(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    rows = [
        {"text": "freeze my card", "label": "freeze"},
        {"text": "pin please", "label": "pin"},
        {"text": "who won", "label": "oos"},
    ]
    source.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    target = tmp_path / "theirs.yaml"
    assert write_command(["--from", str(source), "--outside", "oos", "--out", str(target)]) == 0
    theirs = load_taxonomy(target)
    assert list(theirs.intents) == ["freeze", "pin"]
    read = read_service(source, theirs, "label", "oos")
    assert [example.intent for example in read] == [{0: 1.0}, {1: 1.0}, None]
    assert [example.scope for example in read] == [0, 0, 1]
    with pytest.raises(CorpusError, match="'oos' is not in the taxonomy"):
        read_service(source, theirs, "label")
