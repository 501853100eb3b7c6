"""The versions of a model on disk, which one is accepted, and how that changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from nlp_service.adapters.erasure_marks import erased_corpora, read_marks
from nlp_service.adapters.trials import Trials
from nlp_service.contract.bundle import Manifest, read_accepted, read_manifest, verify_files
from nlp_service.errors import BundleError, Conflict, NotFound

POINTER = "accepted.json"
HISTORY = "history.jsonl"


@dataclass(frozen=True, kw_only=True)
class Version:
    """A complete bundle in the models folder."""

    folder: Path
    manifest: Manifest
    accepted: bool
    trained_on_erased: tuple[str, ...] = ()  # its corpora that hold messages removed at a customer's wish

    @property
    def id(self) -> str:
        return f"{self.manifest.name}-{self.manifest.version}"

    @property
    def metrics(self) -> Mapping[str, Any]:
        """Figures that training wrote into the lineage."""
        found = self.manifest.lineage.get("metrics", {})
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One move of the pointer."""

    at: str  # ISO 8601, UTC
    by: str
    version: str
    before: str | None
    why: str
    forced: bool = False  # against the gate's objection, or without a trial


class Registry:
    """Bundles under one folder. A bundle without a manifest is still being written and is passed over."""

    def __init__(self, models: Path) -> None:
        self._models = models

    def versions(self) -> tuple[Version, ...]:
        """Return every complete bundle, ordered by name and version."""
        accepted = self._accepted_folder()
        marks = read_marks(self._models)
        found = []
        for path in sorted(self._models.glob("*/manifest.json")):
            folder = path.parent
            manifest = read_manifest(folder)
            version = Version(
                folder=folder,
                manifest=manifest,
                accepted=folder.resolve() == accepted,
                trained_on_erased=erased_corpora(manifest, marks),
            )
            found.append(version)
        return tuple(sorted(found, key=lambda version: (version.manifest.name, _ordinal(version.manifest.version))))

    def find(self, version: str) -> Version:
        """Return a version by its number or its full id; raises NotFound naming those that exist."""
        known = self.versions()
        for candidate in known:
            if version in (candidate.id, candidate.manifest.version):
                return candidate
        names = ", ".join(candidate.manifest.version for candidate in known) or "none"
        raise NotFound(f"no model version {version!r} in {self._models}: there are {names}")

    def promote(self, version: str, *, by: str, why: str, at: datetime, force: bool = False) -> Promotion:
        """Verify a bundle and point to it; services that watch the pointer swap to it.

        Raises:
            Conflict: it is accepted already, or the gate objects and ``force`` is not set or gives no reason.
            BundleError: a file is missing or damaged; the pointer stays.
        """
        chosen = self.find(version)
        if chosen.accepted:
            raise Conflict(f"model {chosen.id} is accepted already")
        verify_files(chosen.folder, chosen.manifest)
        objection = self.objection(chosen)
        if objection is not None and not force:
            raise Conflict(f"model {chosen.id} is not promoted: {objection}; or promote by force, with a reason")
        if objection is not None and not why.strip():
            raise Conflict(f"model {chosen.id} is promoted by force with a reason only: say why")
        before = next((known.id for known in self.versions() if known.accepted), None)
        forced = objection is not None
        promotion = Promotion(at=at.isoformat(), by=by, version=chosen.id, before=before, why=why, forced=forced)
        self._point(chosen)
        self._tell(promotion)
        return promotion

    def add(self, bundle: Path) -> Version:
        """Take a trained bundle in as a candidate; raises Conflict where the version exists with other files."""
        manifest = read_manifest(bundle)
        verify_files(bundle, manifest)
        folder = self._models / f"{manifest.name}-{manifest.version}"
        if (folder / "manifest.json").is_file():
            if read_manifest(folder).files != manifest.files:
                raise Conflict(f"model {folder.name} exists with other files: train another version")
        elif bundle.resolve() != folder.resolve():
            part = folder.with_name(f".{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)
            shutil.copytree(bundle, part)
            part.replace(folder)
        return Version(folder=folder, manifest=manifest, accepted=False)

    def next_version(self, version: str) -> str:
        """Return the first number after ``version`` that no bundle has: 1.2.0 becomes 1.2.1."""
        taken = {known.manifest.version for known in self.versions()}
        *front, last = version.split(".")
        number = int(last) if last.isdigit() else 0
        while True:
            number += 1
            if (candidate := ".".join([*front, str(number)])) not in taken:
                return candidate

    def objection(self, chosen: Version) -> str | None:
        """Return why the gate does not let a version serve, None where it does.

        The first model has nothing to be held against, and a version that has served before may serve again.
        """
        accepted = next((known for known in self.versions() if known.accepted), None)
        served = {name for move in self.history() for name in (move.version, move.before)}
        if accepted is None or chosen.id in served:
            return None
        return Trials(self._models).objection(chosen.manifest, accepted.manifest)

    def rollback(self, *, by: str, at: datetime) -> Promotion:
        """Point back to the version before the latest promotion; raises Conflict where there is none."""
        past = self.history()
        if not past or past[-1].before is None:
            raise Conflict(f"no promotion in {self._models / HISTORY} to roll back")
        return self.promote(past[-1].before, by=by, why=f"rolled back from {past[-1].version}", at=at)

    def history(self) -> tuple[Promotion, ...]:
        """Return the moves of the pointer, oldest first."""
        path = self._models / HISTORY
        if not path.is_file():
            return ()
        lines = path.read_text(encoding="utf-8").splitlines()
        return tuple(Promotion(**json.loads(line)) for line in lines if line.strip())

    def state(self) -> tuple[int, int]:
        """Return what changes when the pointer is moved, cheap to ask for often."""
        try:
            status = (self._models / POINTER).stat()
        except OSError:
            return 0, 0
        return status.st_mtime_ns, status.st_ino

    def _accepted_folder(self) -> Path | None:
        try:
            return read_accepted(self._models)
        except BundleError:
            return None

    def _point(self, version: Version) -> None:
        """Write the pointer beside and rename it, so that a reader sees the old or the new one."""
        manifest = version.manifest
        content = {"name": manifest.name, "version": manifest.version, "path": version.folder.name}
        temporary = self._models / f"{POINTER}.part"
        with temporary.open("w", encoding="utf-8") as stream:
            stream.write(json.dumps(content) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self._models / POINTER)

    def _tell(self, promotion: Promotion) -> None:
        with (self._models / HISTORY).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(vars(promotion), ensure_ascii=False) + "\n")


def _ordinal(version: str) -> tuple[tuple[int, str], ...]:
    """Order 1.10.0 after 1.9.0."""
    return tuple((int(part), "") if part.isdigit() else (-1, part) for part in version.split("."))
