"""`nlp-service corrections` and `nlp-service corpora` through the command line's own parser."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.cli.main import app
from nlp_service.contract.corpus import read_records
from nlp_service.errors import InvalidMessage, NotFound
from tests.bundles import write_bundle
from tests.examples import labelling, message

Run = Callable[..., Result]


@pytest.fixture
def run(make_database: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs a command on three stored messages and a small model."""
    url = make_database("sqlite")
    write_bundle(tmp_path / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (tmp_path / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    monkeypatch.setenv("NLP_SERVICE_DATABASE", url)
    monkeypatch.setenv("NLP_SERVICE_MODELS", str(tmp_path / "models"))
    with Database.open(url) as database:
        rows = [(message(f"m-{n}", customer_id="c-1", context=("客服: 您好",)), labelling(f"m-{n}")) for n in range(3)]
        Messages(database, mask=str).save(rows).result(30)

    def invoke(*arguments: str) -> Result:
        result = CliRunner().invoke(app, list(arguments))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return invoke


def test_what_people_corrected_becomes_a_corpus(run: Run, tmp_path: Path) -> None:
    run(
        "corrections", "add", "m-0", "--intent", "warranty", "--no-flags", "--sentiment", "negative", "--reviewer", "li"
    )
    run("corrections", "add", "m-1", "--intent", "warranty", "--reviewer", "li")
    said = run("corrections", "add", "m-1", "--intent", "invoice", "--reviewer", "bo").output
    assert "intent: disputed" in said
    run("corrections", "add", "m-2", "--priority", "urgent", "--why", "smoke")
    with pytest.raises(NotFound, match="'m-9'"):
        run("corrections", "add", "m-9", "--intent", "warranty")
    with pytest.raises(InvalidMessage, match="did you mean 'warranty'"):
        run("corrections", "add", "m-0", "--intent", "waranty")
    listed = json.loads(run("corrections", "list", "--json", "--by", "command line: li").stdout)
    assert [made["message_id"] for made in listed] == ["m-1", "m-0"]

    target = tmp_path / "corrections.jsonl"
    run("corpora", "export-corrections", "--output", str(target), "--licence", "internal")
    records = {record.id: record for record in read_records(target)}
    assert sorted(records) == ["m-0", "m-2"]  # people still disagree about m-1
    first = records["m-0"]
    assert (first.intent, first.flags, first.sentiment, first.licence) == ("warranty", (), -1, "internal")
    assert (first.text, first.context) == (labelling().masked_text, ("客服: 您好",))
    assert (records["m-2"].priority, records["m-2"].flags) == ("urgent", None)
    assert first.dialogue == records["m-2"].dialogue
    assert "c-1" not in target.read_text(encoding="utf-8")
    report = json.loads(run("corpora", "check", str(target), "--json", "--no-model").stdout)
    assert (report["records"], report["errors"]) == (2, 0)


def test_a_corpus_is_checked_reported_and_fixed(run: Run, tmp_path: Path) -> None:
    rows = [
        {"text": "我的快递三天没动了怎么回事", "intent": "delivery_delay", "licence": "x"},
        {"text": "我的快递三天没动了怎么回事！", "intent": "delivery_delay", "licence": "x"},
        {"text": "发票怎么开", "intent": "invoicee", "licence": "x"},
        {"text": "打13800138000找我", "intent": "smalltalk", "licence": "x"},
    ]
    corpus = tmp_path / "new.jsonl"
    corpus.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    page, copy = tmp_path / "report.html", tmp_path / "fixed.jsonl"
    result = run("corpora", "check", str(corpus), "--html", str(page), "--fix", str(copy), "-e", str(corpus))
    assert result.exit_code == 1
    assert "the nearest known is 'invoice'" in result.output
    assert "Near copies: 1" in result.output
    assert "in the evaluation set" in result.output  # it was held against itself
    assert "13800138000" not in page.read_text(encoding="utf-8")
    records = list(read_records(copy))  # what leaks is gone, too short a text cannot leak
    assert [(record.text, record.intent) for record in records] == [
        ("发票怎么开", "invoice"),
        ("打[手机]找我", "smalltalk"),
    ]
    assert corpus.read_text(encoding="utf-8").count("\n") == 3
    assert run("corpora", "check", str(copy), "--no-model").exit_code == 0
