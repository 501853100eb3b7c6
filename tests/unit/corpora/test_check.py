"""What the check of a corpus finds, and what the fixed copy makes of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from nlp_service.contract.corpus import Record
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.corpus_check.fix import fix
from nlp_service.core.corpus_check.rendering import as_data, as_html, summary
from nlp_service.core.corpus_check.suspects import find_suspects
from nlp_service.core.corpus_check.texts import letters, shared, shingles, vectors
from nlp_service.core.corpus_check.values import Report
from nlp_service.flows.check_corpus import CheckCorpus

GOOD = {"text": "我的快递三天没动了", "lang": "zh", "intent": "delivery_delay", "licence": "CC0"}


@pytest.fixture
def checked(taxonomy: Taxonomy) -> Any:
    """Return a function that checks objects, or lines as they are."""

    def check(*rows: object, evaluation: Mapping[str, Sequence[Record]] | None = None) -> Report:
        lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
        return CheckCorpus(taxonomy=taxonomy, languages=("zh", "en"))(lines, name="new.jsonl", evaluation=evaluation)

    return check


def kinds(report: Report) -> list[tuple[str, int]]:
    return [(finding.kind, finding.line) for finding in report.findings]


def test_a_sound_corpus_has_no_findings(checked: Any) -> None:
    report = checked(GOOD, "", {**GOOD, "text": "怎么开发票", "intent": "invoice", "flags": [], "sentiment": 0})
    assert (kinds(report), report.read, len(report.lines), report.errors) == ([], 2, 2, 0)
    assert report.balance["intent"]["invoice"] == 1
    assert report.balance["intent"]["warranty"] == 0
    assert "2 records" in summary(report)


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("{", "unreadable"),
        ("[" * 100_000, "unreadable"),
        ([1], "unreadable"),
        ({**GOOD, "text": 5}, "unreadable"),
        ({**GOOD, "sentiment": 7}, "unreadable"),
        ({**GOOD, "flags": "repeat_contact"}, "unreadable"),
        ({**GOOD, "intent": 3}, "unreadable"),
        ({**GOOD, "text": " \t"}, "empty"),
        ({"intent": "invoice"}, "empty"),
        ({**GOOD, "text": "啊呀" * 60_000}, "oversized"),
        ({**GOOD, "text": "啊呀哦" * 2_000}, "long"),
        ({**GOOD, "text": "？？！"}, "no_words"),
        ({**GOOD, "lang": "xx"}, "unknown_language"),
        ({**GOOD, "licence": ""}, "no_licence"),
        ({**GOOD, "intnet": "invoice"}, "unknown_field"),
        ({**GOOD, "text": "打我电话13800138000"}, "personal"),
    ],
)
def test_a_fault_of_a_line_is_named(checked: Any, row: object, kind: str) -> None:
    report = checked({**GOOD, "text": "怎么开发票"}, row)
    assert [finding.kind for finding in report.findings] == [kind]
    assert report.findings[0].line == 2


def test_an_unknown_label_is_named_with_the_nearest(checked: Any) -> None:
    report = checked({**GOOD, "intent": "refund_stats", "flags": ["威胁投诉到监管、媒体或诉讼", "zzz"]})
    found = {(finding.head, finding.label): finding.better for finding in report.findings}
    assert found == {
        ("intent", "refund_stats"): "refund_status",
        ("flags", "威胁投诉到监管、媒体或诉讼"): "escalation_threat",
        ("flags", "zzz"): None,
    }
    assert report.errors == 3
    (record,), changes = fix(report)
    assert (record.intent, record.flags) == ("refund_status", ("escalation_threat",))
    assert [change.action for change in changes] == ["renamed", "renamed", "unlabelled"]


def test_copies_near_copies_and_conflicts(checked: Any) -> None:
    long = "请问你们家的净水器安装需要预约多长时间才能上门"
    report = checked(
        {**GOOD, "text": long, "intent": "appointment"},
        {**GOOD, "text": f"{long}！！", "intent": "appointment"},  # only marks differ
        {**GOOD, "text": long, "intent": "product_usage"},
        {**GOOD, "text": f"{long}啊", "intent": "appointment"},
        {**GOOD, "text": long, "intent": "appointment", "context": ["顾客: 你好"]},  # said elsewhere: another message
        {**GOOD, "text": "好的", "intent": "smalltalk"},
        {**GOOD, "text": "好的。", "intent": "smalltalk"},  # short: everybody says so
    )
    assert kinds(report) == [("conflict", 3), ("exact_duplicate", 3), ("near_duplicate", 2), ("near_duplicate", 4)]
    records, changes = fix(report)
    assert [record.text for record in records] == [long, long, "好的", "好的。"]
    assert records[0].intent is None  # one against one: nobody knows
    assert {change.line for change in changes} == {1, 2, 3, 4}


def test_a_majority_settles_a_conflict(checked: Any) -> None:
    rows = [{**GOOD, "intent": intent} for intent in ("invoice", "delivery_delay", "delivery_delay")]
    records, _ = fix(checked(*rows))
    assert [record.intent for record in records] == ["delivery_delay"]


def test_what_stands_in_an_evaluation_set_is_found(checked: Any) -> None:
    held = {"dev": [Record(text="我买的破壁机用了两天就坏了怎么办"), Record(text="你好")]}
    report = checked(
        {**GOOD, "text": "我买的破壁机，用了两天就坏了，怎么办？"},
        {**GOOD, "text": "我买的破壁机用了两天就坏了怎么办呀"},
        {**GOOD, "text": "我买的空调装了三个月都没有问题"},
        {**GOOD, "text": "你好"},
        evaluation=held,
    )
    assert [(finding.kind, finding.line) for finding in report.findings if finding.kind == "leak"] == [
        ("leak", 1),
        ("leak", 2),
    ]
    assert [record.text for record in fix(report)[0]] == ["我买的空调装了三个月都没有问题", "你好"]
    assert "evaluation" in checked(GOOD).skipped[0]


def test_personal_data_is_masked_in_the_copy_and_on_the_page(checked: Any) -> None:
    report = checked({**GOOD, "text": "打我电话13800138000", "context": ["顾客: 我的手机是13900139000"]})
    (record,), changes = fix(report)
    assert record.text == "打我电话[手机]"
    assert record.context == ("顾客: 我的手机是[手机]",)
    assert changes[0].action == "masked"
    page = as_html(report)
    assert "13800138000" not in page
    assert "13800138000" not in json.dumps(as_data(report), ensure_ascii=False)
    assert "打我电话[手机]" in page


def test_the_page_takes_no_markup_from_the_corpus(checked: Any) -> None:
    page = as_html(checked({**GOOD, "text": "<script>alert(1)</script>", "intent": "<b>x</b>"}))
    assert "<script>alert" not in page
    assert "<b>x" not in page


def test_shingles_and_their_vectors_agree() -> None:
    one, other = "我买的破壁机用了两天就坏了怎么办", "我买的破壁机用了两天就坏了咋办呢"
    far = "请问什么时候可以开发票呢谢谢你"
    grams = [shingles(letters(text)) for text in (one, other, far)]
    rows = vectors(grams)
    likeness = [shared(grams[0], other) for other in grams[1:]]
    cosines = (rows[1:] @ rows[0]).tolist()
    assert likeness[0] > 0.6
    assert likeness[1] < 0.1
    assert np.allclose(likeness, cosines, atol=0.25)
    assert letters("订单 123456，还没到！") == letters("订单98765还没到")


def test_planted_wrong_labels_are_at_the_top() -> None:
    """Six classes around their centres, a twentieth of the labels wrong; the model has no opinion of them."""
    random = np.random.default_rng(2)
    centres = random.standard_normal((6, 32))
    truth = random.integers(0, 6, 600)
    rows = (centres[truth] + 0.9 * random.standard_normal((600, 32))).astype(np.float32)
    wrong = random.choice(600, 30, replace=False)
    labels = [f"l{(truth[row] + (1 + row % 5 if row in wrong else 0)) % 6}" for row in range(600)]
    found = find_suspects(labels, rows, [str(row) for row in range(600)], None, ())
    listed = [suspect.row for suspect in found]
    assert len(set(listed) & set(wrong.tolist())) >= 27
    assert len(listed) <= 45
    assert sum(suspect.better == f"l{truth[suspect.row]}" for suspect in found if suspect.row in wrong) >= 26
    assert find_suspects(labels[:20], rows[:20], [""] * 20, None, ()) == []
