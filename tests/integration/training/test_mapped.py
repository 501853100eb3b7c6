"""A bundle whose weights lie beside the graph answers as the one that it was made of."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_manifest
from tests.bundles import write_bundle
from training import mapped

SEGMENTS = [("你好 hello", ""), ("到了没 not yet", "客服: 您好")]


def test_the_same_answers_from_a_mapped_file(tmp_path: Path) -> None:
    whole = write_bundle(tmp_path / "whole")
    split = shutil.copytree(whole, tmp_path / "split")
    mapped.main(split)
    files = read_manifest(split).files
    assert mapped.DATA in files
    assert files["model.onnx"] != read_manifest(whole).files["model.onnx"]
    before, after = (OnnxModel.load(folder, sessions=1).score(SEGMENTS) for folder in (whole, split))
    assert np.array_equal(before.intent, after.intent)
    assert np.array_equal(before.embedding, after.embedding)


def test_a_bundle_that_is_split_is_left_alone(tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    mapped.main(folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    mapped.main(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
