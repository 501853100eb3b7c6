"""Weights in a file of their own beside the graph: the runtime maps it instead of copying it.

A bundle of 48 MB then takes 27 MB of a serving process instead of 67 once it is loaded, processes of one machine share
the pages, and rows of the token table that nobody writes are never read. What is computed does not change.

    python -m training.mapped models/feedback-multilingual-0.3.0     rewrites a bundle, its manifest last
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import onnx

from nlp_service.contract.bundle import file_hash, read_manifest, verify_files, write_manifest

DATA = "model.onnx.data"
SMALLEST = 1024  # bytes; smaller constants stay in the graph, where the runtime folds them


def split_weights(source: Path, folder: Path) -> None:
    """Write ``source`` as model.onnx and model.onnx.data in ``folder``; the graph comes last, by rename."""
    model = onnx.load(str(source))
    part = folder / "model.onnx.part"
    (folder / DATA).unlink(missing_ok=True)  # the writer appends
    onnx.save(
        model,
        str(part),
        save_as_external_data=True,
        all_tensors_to_one_file=True,
        location=DATA,
        size_threshold=SMALLEST,
    )
    (folder / DATA).chmod(0o644)
    part.replace(folder / "model.onnx")


def main(folder: Path) -> None:
    """Rewrite a bundle that has its weights in the graph; one that has not is left alone."""
    manifest = read_manifest(folder)
    verify_files(folder, manifest)
    if DATA in manifest.files:
        return
    split_weights(folder / "model.onnx", folder)
    written = {name: file_hash(folder / name) for name in ("model.onnx", DATA)}
    write_manifest(folder, replace(manifest, files=dict(sorted({**manifest.files, **written}.items()))))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
