"""A model that learned from messages removed since is marked; one trained without them is not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.registry import Registry
from nlp_service.cli.db import mark_erased
from nlp_service.contract.bundle import file_hash
from nlp_service.contract.corpus import Record, write_records
from tests.bundles import write_bundle
from tests.examples import labelling, message


def trained(models: Path, name: str, version: str, corpus: Path) -> None:
    folder = write_bundle(models / name, version=version)
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    manifest["lineage"] = {"corpora": {"corrections": file_hash(corpus)[:16]}}
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")


def test_models_and_corpora_of_removed_messages_are_marked(
    tmp_path: Path,
    make_database: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    url, models = make_database("sqlite"), tmp_path / "models"
    old, new = tmp_path / "old.jsonl", tmp_path / "new.jsonl"
    write_records([Record(text="说明书看不懂", id=f"m-{number}") for number in range(5)], old)
    write_records([Record(text="说明书看不懂", id="m-4")], new)
    trained(models, "first", "0.0.1", old)
    trained(models, "second", "0.0.2", new)
    with Database.open(url) as database:
        rows = [
            (message(f"m-{number}", customer_id="王" if number < 2 else "李"), labelling(f"m-{number}"))
            for number in range(5)
        ]
        Messages(database, mask=str).save(rows).result(30)
        Customers(database).erase("王", by="tests")
    monkeypatch.setenv("NLP_SERVICE_DATABASE", url)
    monkeypatch.setenv("NLP_SERVICE_MODELS", str(models))

    mark_erased([old, new])

    said = capsys.readouterr().out
    assert "old.jsonl: 2 of 5 messages were removed" in said
    assert "new.jsonl: 0 of 1 messages were removed" in said
    assert "model tests-0.0.1 was trained on corrections: train it again" in said
    marked = {version.manifest.version: version.trained_on_erased for version in Registry(models).versions()}
    assert marked == {"0.0.1": ("corrections",), "0.0.2": ()}
