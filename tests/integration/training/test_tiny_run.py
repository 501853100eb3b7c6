"""From our own corpus to a bundle that the service loads, with a really trained small model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from nlp_service.contract.bundle import read_manifest, verify_files
from nlp_service.contract.calibration import read_calibration
from nlp_service.contract.taxonomy import load_taxonomy
from training.__main__ import main
from training.data.batches import tokenise
from training.data.examples import Example
from training.measure import predict
from training.model import Encoder, MultiTask, head_sizes
from training.onnx_model import OnnxModel
from training.restore import restore, take_heads

ROOT = Path(__file__).parents[3]


def train(out: Path, *extra: str) -> int:
    recipe = ROOT / "training" / "recipes" / "tiny.yaml"
    common = [
        "--recipe",
        str(recipe),
        "--repository",
        str(ROOT / "corpora"),
        "--corpora",
        str(out / "none"),
        "--threads",
        "1",
    ]
    return main(["run", *common, "--out", str(out), "--cache", str(out), *extra])


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tiny")
    assert train(out, "--set", "train.epochs=4", "--version", "0.0.2") == 0
    return out


def test_the_bundle_is_whole_and_calibrated(finished: Path) -> None:
    manifest = read_manifest(finished / "bundle")
    verify_files(finished / "bundle", manifest)
    assert (manifest.name, manifest.version, manifest.embedding_size) == ("feedback-multilingual", "0.0.2", 64)
    calibration = read_calibration(finished / "bundle" / "calibration.json")
    assert set(calibration.temperatures) == {"intent", "sentiment", "emotion", "flags", "priority", "scope"}
    assert [p.target_accuracy for p in calibration.abstention] == sorted(
        p.target_accuracy for p in calibration.abstention
    )


def test_it_learned_something(finished: Path) -> None:
    model = OnnxModel.load_bundle(finished / "bundle")
    texts = ["我要转人工客服", "帮我开一张发票", "谢谢", "我想退货"]
    wanted = ["human_agent", "invoice", "smalltalk", "return_request"]
    intents = list(yaml.safe_load((ROOT / "corpora" / "taxonomy.yaml").read_text(encoding="utf-8"))["intents"])
    said = model.run([Example(text=text) for text in texts])["intent"].argmax(1)
    assert sum(intents[i] == w for i, w in zip(said, wanted, strict=True)) >= 2


def test_finished_stages_are_not_repeated(finished: Path) -> None:
    before = (finished / "model.pt").stat().st_mtime_ns
    assert train(finished, "--set", "train.epochs=4", "--version", "0.0.2") == 0
    assert (finished / "model.pt").stat().st_mtime_ns == before


def test_missing_sets_refuse_with_their_names(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished / "encoder", tmp_path / "encoder")
    assert train(tmp_path, "--set", "data.sets={banking77: 3}") == 2
    assert "banking77" in capsys.readouterr().err


def test_a_damaged_checkpoint_folder_still_resumes(tmp_path: Path) -> None:
    """A kill leaves at most a .part file, which the next run ignores."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "train.part").write_bytes(b"half")
    assert train(out, "--set", "train.epochs=1", "--set", "data.own=[en]") == 0
    assert json.loads((out / "bundle" / "manifest.json").read_text(encoding="utf-8"))["files"]["model.onnx"]


def test_training_goes_on_from_a_bundle_with_a_label_more(finished: Path, tmp_path: Path) -> None:
    restored = restore(finished / "bundle")
    raw = yaml.safe_load((ROOT / "corpora" / "taxonomy.yaml").read_text(encoding="utf-8"))
    raw["intents"]["gift_wrap"] = {**raw["intents"]["promotion"], "zh": "礼品包装", "en": "Gift wrap"}
    wider = tmp_path / "taxonomy.yaml"
    wider.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")

    out = tmp_path / "run"
    parent = ["--parent", str(finished / "bundle"), "--taxonomy", str(wider)]
    assert train(out, *parent, "--set", "train.epochs=1", "--set", "train.embedding_weight=0.5") == 0

    assert read_manifest(out / "bundle").lineage["parent"] == "bundle"
    model = MultiTask(Encoder.from_weights(restored.weights), head_sizes(load_taxonomy(wider)), {})
    assert take_heads(model, restored, load_taxonomy(wider)) == ["gift_wrap"]


def test_a_restored_model_answers_like_its_bundle(finished: Path) -> None:
    restored = restore(finished / "bundle")
    model = MultiTask(Encoder.from_weights(restored.weights), head_sizes(restored.taxonomy), {})
    assert take_heads(model, restored, restored.taxonomy) == []
    texts = [Example(text=text) for text in ("我要转人工客服", "帮我开一张发票", "谢谢", "我想退货", "快递三天没动了")]
    served = OnnxModel.load_bundle(finished / "bundle").run(texts)
    tokens = tokenise(restored.weights.tokenizer, texts, 64, 24)
    again = predict(model, tokens, exact=True)
    assert (again["embedding"] * served["embedding"]).sum(1).min() > 0.99
    assert (again["sentiment"].argmax(1) == served["sentiment"].argmax(1)).mean() >= 0.8
