"""Writing a bundle: files first, the manifest with their hashes last."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_service.contract.bundle import REQUIRED_FILES, Manifest, file_hash, write_manifest
from nlp_service.contract.taxonomy import load_taxonomy


def complete(
    folder: Path,
    *,
    name: str,
    version: str,
    languages: tuple[str, ...],
    embedding_size: int,
    lineage: Mapping[str, Any],
) -> Manifest:
    """Write manifest.json over every file in ``folder``; the required ones must be there."""
    files = sorted(
        path.name
        for path in folder.iterdir()
        if path.is_file() and path.suffix != ".part" and path.name != "manifest.json"
    )
    missing = [required for required in REQUIRED_FILES if required not in files]
    if missing:
        raise FileNotFoundError(f"bundle {folder} cannot be completed without {', '.join(missing)}")
    manifest = Manifest(
        name=name,
        version=version,
        taxonomy_fingerprint=load_taxonomy(folder / "taxonomy.yaml").fingerprint,
        languages=languages,
        embedding_size=embedding_size,
        files={file: file_hash(folder / file) for file in files},
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        lineage=lineage,
    )
    write_manifest(folder, manifest)
    return manifest


def accept(models: Path, folder: Path, manifest: Manifest) -> None:
    """Point ``models/accepted.json`` at a bundle, by rename."""
    path = (
        folder.resolve().relative_to(models.resolve())
        if folder.resolve().is_relative_to(models.resolve())
        else folder.resolve()
    )
    part = models / "accepted.json.part"
    part.write_text(
        json.dumps({"name": manifest.name, "version": manifest.version, "path": str(path)}, indent=1) + "\n",
        encoding="utf-8",
    )
    part.replace(models / "accepted.json")


def write_examples(folder: Path, rows: Sequence[Mapping[str, str]], vectors: npt.NDArray[np.float32]) -> None:
    """Write labelled examples (text, intent, lang) and their unit vectors (n, d) in int8, for explanations."""
    lines = "".join(json.dumps(dict(row), ensure_ascii=False) + "\n" for row in rows)
    (folder / "examples.jsonl").write_text(lines, encoding="utf-8")
    peak = np.abs(vectors).max(axis=1, keepdims=True)
    np.save(folder / "examples.npy", np.rint(vectors / peak * 127).astype(np.int8))


def copy_inputs(folder: Path, taxonomy: Path, tokenizer: Mapping[str, Any]) -> None:
    """Put taxonomy and tokenizer beside the model."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(taxonomy, folder / "taxonomy.yaml")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
