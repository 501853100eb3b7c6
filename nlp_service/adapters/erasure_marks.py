"""Which corpora and models learned from messages that were since removed at a customer's wish.

A model cannot forget one message: it is marked, so that it is not promoted unawares, and trained again without it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from nlp_service.contract.bundle import Manifest, file_hash
from nlp_service.errors import ConfigurationError

NOTE = "trained_on_erased.json"  # beside the bundles: corpus hash -> file, erased, at
_HASH = 16  # hexadecimal digits of a corpus that a manifest's lineage holds


def mark(models: Path, corpus: Path, *, erased: int, at: datetime) -> None:
    """Note that a corpus file holds so many removed messages; raises ConfigurationError for a damaged note."""
    note = dict(read_marks(models))
    note[file_hash(corpus)[:_HASH]] = {"file": corpus.name, "erased": erased, "at": at.isoformat()}
    temporary = models / f"{NOTE}.part"
    with temporary.open("w", encoding="utf-8") as stream:
        stream.write(json.dumps(note, ensure_ascii=False, indent=1) + "\n")
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(models / NOTE)


def read_marks(models: Path) -> Mapping[str, Any]:
    """Return the corpora noted so far, by hash."""
    path = models / NOTE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise ConfigurationError(f"{path} is damaged: {exc}; remove it and run `nlp-service db mark-erased`") from exc
    return found if isinstance(found, dict) else {}


def erased_corpora(manifest: Manifest, marks: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the corpora of a model, by its lineage, that hold removed messages."""
    corpora = manifest.lineage.get("corpora", {})
    if not isinstance(corpora, Mapping):
        return ()
    return tuple(sorted(name for name, digest in corpora.items() if digest in marks))
