"""Real bundles on the real runtime: what does not fit is refused by name, and batching changes no score."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import Scores
from nlp_service.errors import BundleError
from tests.bundles import HIDDEN, write_bundle

TEXTS = [
    ("您好", ""),
    ("快递没到 投诉!", "您好"),
    ("abc", ""),
    ("退款" * 60, "谢谢"),
    ("", ""),
    ("x", "y" * 100),
    ("a" * 2000, ""),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_bundle(tmp_path_factory.mktemp("models") / "tests-0.0.1")


@pytest.fixture(scope="module")
def model(bundle: Path) -> OnnxModel:
    loaded = OnnxModel.load(bundle, sessions=2)
    loaded.warm_up()
    return loaded


def assert_close(one: Scores, other: Scores) -> None:
    for name in ("intent", "sentiment", "emotion", "flags", "priority", "scope", "embedding"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), atol=1e-5)
    assert one.truncated.tolist() == other.truncated.tolist()


def test_scores_have_the_shapes_of_the_contract(model: OnnxModel, taxonomy: Taxonomy) -> None:
    scores = model.score(TEXTS)
    assert scores.intent.shape == (len(TEXTS), len(taxonomy.intents))
    assert scores.scope.shape == (len(TEXTS),)
    assert scores.embedding.shape == (len(TEXTS), HIDDEN)
    np.testing.assert_allclose(np.linalg.norm(scores.embedding[:4], axis=1), 1.0, atol=1e-5)
    assert scores.truncated.tolist() == [False] * 6 + [True]
    assert model.identity.version == "0.0.1"


def test_a_message_scores_the_same_alone_and_in_any_company(model: OnnxModel) -> None:
    together = model.score(TEXTS)
    for row, segments in enumerate(TEXTS):
        alone = model.score([segments])
        np.testing.assert_allclose(alone.intent[0], together.intent[row], atol=1e-5)
        np.testing.assert_allclose(alone.embedding[0], together.embedding[row], atol=1e-5)


def test_nothing_is_scored_for_nothing(model: OnnxModel) -> None:
    assert len(model.score([])) == 0


def test_a_stream_is_scored_in_order(model: OnnxModel) -> None:
    texts = TEXTS * 5
    parts = list(model.score_all(iter(texts), buffer=8))
    assert [len(part) for part in parts] == [8, 8, 8, 8, 3]
    whole = model.score(texts)
    np.testing.assert_allclose(np.concatenate([part.intent for part in parts]), whole.intent, atol=1e-5)


def test_a_long_message_is_read_to_its_end(model: OnnxModel) -> None:
    beginning = "a" * 22
    threat = model.score([(beginning + "投诉" * 11, "")])
    alone = model.score([(beginning, ""), ("投诉" * 11, "")])
    assert np.all(threat.flags[0] >= alone.flags.max(axis=0) - 1e-5)


def damage_model(folder: Path) -> None:
    path = folder / "model.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0xFF
    path.write_bytes(data)


def drop_tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def change_manifest(**values: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, **values}))

    return change


def drop_manifest(folder: Path) -> None:
    (folder / "manifest.json").unlink()


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (damage_model, r"model\.onnx is damaged: sha256 .*manifest says"),
        (drop_tokenizer, r"lacks tokenizer\.json"),
        (drop_manifest, r"manifest .*cannot be used"),
        (change_manifest(taxonomy_fingerprint="0123"), r"trained for taxonomy 0123, its taxonomy\.yaml is \w+"),
        (change_manifest(embedding_size=3), r"embedding has 16 columns.*3"),
        (change_manifest(normalise_version=99), r"text preparation 99"),
    ],
)
def test_a_bundle_that_does_not_fit_is_refused(
    bundle: Path, tmp_path: Path, break_it: Callable[[Path], None], says: str
) -> None:
    folder = tmp_path / "broken"
    shutil.copytree(bundle, folder)
    break_it(folder)
    with pytest.raises(BundleError, match=says):
        OnnxModel.load(folder, sessions=1)
