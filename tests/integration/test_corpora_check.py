"""The check of a corpus with the accepted model: a sample of our own corpus with labels made wrong."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.corpus import Record, read_records
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.flows.check_corpus import CheckCorpus

ROOT = Path(__file__).parents[2]
SAMPLE, WRONG, SEED = 400, 32, 4


@pytest.fixture(scope="module")
def model() -> OnnxModel:
    return OnnxModel.load(read_accepted(ROOT / "models"), sessions=2)


def sample() -> list[Record]:
    records = [record for record in read_records(ROOT / "corpora" / "own" / "zh.jsonl") if record.intent]
    return random.Random(SEED).sample(records, SAMPLE)


def written(records: list[Record], wrong: set[int], taxonomy: Taxonomy) -> Iterator[str]:
    """Yield the lines; those in ``wrong`` carry another intent than theirs."""
    chance = random.Random(SEED)
    for row, record in enumerate(records):
        others = [intent for intent in taxonomy.intents if intent != record.intent]
        intent = chance.choice(others) if row in wrong else record.intent
        yield json.dumps({"text": record.text, "context": list(record.context), "intent": intent, "licence": "x"})


def test_four_of_five_planted_wrong_labels_are_in_the_top_list(taxonomy: Taxonomy, model: OnnxModel) -> None:
    records = sample()
    wrong = set(random.Random(SEED).sample(range(SAMPLE), WRONG))
    check = CheckCorpus(taxonomy=taxonomy, languages=model.languages, model=model)
    report = check(written(records, wrong, taxonomy), name="planted")
    listed = [finding.line - 1 for finding in report.of("likely_wrong") if finding.head == "intent"]
    top = set(listed[: 2 * WRONG])
    assert len(top & wrong) >= 0.8 * WRONG, f"{len(top & wrong)} of {WRONG} in the first {len(top)} of {len(listed)}"
