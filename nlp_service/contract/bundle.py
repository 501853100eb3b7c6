"""The versioned model bundle: one folder whose manifest names every file with its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nlp_service.contract.text import NORMALISE_VERSION
from nlp_service.errors import BundleError

BUNDLE_FORMAT = 1
REQUIRED_FILES = ("model.onnx", "tokenizer.json", "taxonomy.yaml", "calibration.json", "card.md")
HEADS = ("intent", "sentiment", "emotion", "flags", "priority", "scope")
EMBEDDING = "embedding"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a bundle is; written last, so that a folder with a manifest is complete."""

    name: str
    version: str  # semantic version
    taxonomy_fingerprint: str
    languages: tuple[str, ...]  # ISO 639-1 codes served
    embedding_size: int
    files: Mapping[str, str]  # file name -> sha256
    max_tokens: int = 256
    format: int = BUNDLE_FORMAT
    normalise_version: int = NORMALISE_VERSION
    created_at: str = ""  # ISO 8601, UTC
    lineage: Mapping[str, Any] = field(default_factory=dict)  # parent version, corpora hashes, recipe, metrics


def file_hash(path: Path) -> str:
    """SHA-256 of a file, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Write manifest.json beside its files by rename, so that a kill leaves either none or a whole one."""
    temporary = folder / "manifest.json.part"
    temporary.write_text(json.dumps(asdict(manifest), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / "manifest.json")


def read_manifest(folder: Path) -> Manifest:
    """Read and check a bundle's manifest without hashing its files.

    Raises:
        BundleError: no manifest, another format or text preparation; both values are named.
    """
    path = folder / "manifest.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        raw["languages"] = tuple(raw["languages"])
        manifest = Manifest(**raw)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BundleError(f"bundle manifest {path} cannot be used: {exc}") from exc
    if manifest.format != BUNDLE_FORMAT:
        raise BundleError(f"bundle {folder} has format {manifest.format}, this service reads {BUNDLE_FORMAT}")
    if manifest.normalise_version != NORMALISE_VERSION:
        raise BundleError(
            f"bundle {folder} was trained with text preparation {manifest.normalise_version}, "
            f"this service has {NORMALISE_VERSION}: retrain or install the matching release"
        )
    return manifest


def verify_files(folder: Path, manifest: Manifest) -> None:
    """Check that every required file is there and every listed hash holds; raises BundleError naming the file."""
    missing = [name for name in REQUIRED_FILES if name not in manifest.files]
    if missing:
        raise BundleError(f"bundle {folder} lists no {', '.join(missing)}")
    for name, expected in manifest.files.items():
        path = folder / name
        if path.parent.resolve() != folder.resolve():
            raise BundleError(f"bundle {folder} lists {name!r}, which lies outside of it")
        if not path.is_file():
            raise BundleError(f"bundle {folder} lacks {name}")
        actual = file_hash(path)
        if actual != expected:
            raise BundleError(f"bundle file {path} is damaged: sha256 {actual[:12]}…, manifest says {expected[:12]}…")


def read_accepted(models: Path) -> Path:
    """Return the folder of the accepted bundle that ``models/accepted.json`` points to.

    The pointer holds {"name", "version", "path"}; a relative path is taken from ``models``.
    """
    pointer = models / "accepted.json"
    try:
        raw = json.loads(pointer.read_text(encoding="utf-8"))
        return (models / str(raw["path"])).resolve()
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BundleError(f"model pointer {pointer} cannot be used: {exc}") from exc
