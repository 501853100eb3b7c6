"""Verdicts of trials, kept beside the bundles: which candidate was held against which accepted model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nlp_service.contract.bundle import Manifest
from nlp_service.core.trial.values import PROMOTE

FOLDER = "trials"
# Of two bundles, what an answer needs; one whose weights lie in the graph has no file of them.
_TOLD = (".md", ".svg", ".png")  # files that describe a model and decide nothing


def same_model(one: Manifest, other: Manifest) -> bool:
    """Tell whether two bundles answer alike: the same files but for what describes them and the examples."""
    return _deciding(one) == _deciding(other)


def _deciding(manifest: Manifest) -> dict[str, str]:
    return {
        name: digest
        for name, digest in manifest.files.items()
        if not name.endswith(_TOLD) and not name.startswith("examples.")
    }


class Trials:
    """The newest verdict of each candidate; one file a version."""

    def __init__(self, models: Path) -> None:
        self._folder = models / FOLDER

    def keep(self, candidate: Manifest, accepted: Manifest, report: Mapping[str, Any]) -> Path:
        """Keep a trial's report; returns its file."""
        self._folder.mkdir(exist_ok=True)
        document = {**report, "candidate_files": dict(candidate.files), "accepted_files": dict(accepted.files)}
        path = self._path(candidate)
        part = path.with_suffix(".part")
        with part.open("w", encoding="utf-8") as stream:
            json.dump(document, stream, ensure_ascii=False, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(path)
        return path

    def find(self, candidate: Manifest) -> Mapping[str, Any] | None:
        """Return the newest report of a candidate, None where it was never tried."""
        try:
            found: Mapping[str, Any] = json.loads(self._path(candidate).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        return found

    def objection(self, candidate: Manifest, accepted: Manifest) -> str | None:
        """Return why a candidate may not be promoted over the accepted model, None where it may."""
        report = self.find(candidate)
        remedy = f"run `nlp-service models gate {candidate.version} --eval FILE`"
        if report is None:
            return f"it was never held against the accepted model: {remedy}"
        if report["candidate_files"] != dict(candidate.files) or report["accepted_files"] != dict(accepted.files):
            return f"its trial was of other files or against another model: {remedy}"
        if report["decision"] != PROMOTE:
            return f"its trial says {report['decision']}: {'; '.join(report['reasons'][:3])}"
        return None

    def _path(self, candidate: Manifest) -> Path:
        return self._folder / f"{candidate.name}-{candidate.version}.json"
