"""Learning on, put together: drift, training, and trials of candidates."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from nlp_service.adapters.batching import Batcher
from nlp_service.adapters.bundle_process import BundleProcess
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.drift import DriftWeeks
from nlp_service.adapters.db.intents import Intents
from nlp_service.adapters.db.shadows import Shadows
from nlp_service.adapters.examples import BundledExamples
from nlp_service.adapters.intent_index import IntentIndex
from nlp_service.adapters.metrics import Metrics
from nlp_service.adapters.periodic import Periodic
from nlp_service.adapters.registry import Registry, Version
from nlp_service.adapters.shadowing import Label, Shadowing
from nlp_service.adapters.train_process import TrainOrder, TrainProcess
from nlp_service.adapters.trials import Trials, same_model
from nlp_service.bootstrap.labeller import open_labeller
from nlp_service.bootstrap.parts import mask_text, now, open_database, open_policy, passed_on, queue_event
from nlp_service.contract.bundle import Manifest, file_hash, read_accepted, read_manifest
from nlp_service.contract.calibration import read_calibration
from nlp_service.contract.corpus import Record, read_records, write_records
from nlp_service.contract.robustness import read_robustness
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.drift import ALERT, WATCH, DriftReport
from nlp_service.core.history import CustomerHistory
from nlp_service.core.label_moves import change_taxonomy, mapping
from nlp_service.core.labelling import Labelling
from nlp_service.core.messages import Message
from nlp_service.core.policy import Policy
from nlp_service.core.shadow import Shadow
from nlp_service.core.trial.limits import default_limits, load_limits
from nlp_service.errors import Conflict, CorpusError, InputError, NotFound, PolicyError
from nlp_service.flows.change_intents import ChangeIntents
from nlp_service.flows.train_job import TrainJob
from nlp_service.flows.try_candidate import Side, Tried, TryCandidate
from nlp_service.flows.watch_drift import WatchDrift, values
from nlp_service.ports import DescribedModel
from nlp_service.settings import Settings

JOB_NICENESS = 10
INTENTS_EVERY = 5.0  # seconds
DRIFT_FIRST, DRIFT_EVERY = 120.0, 3600.0  # seconds after the start, and between looks
DRIFT_STATES = {WATCH: 1, ALERT: 2}


@dataclass(frozen=True, kw_only=True)
class Found:
    """A bundle by folder."""

    folder: Path
    manifest: Manifest

    @property
    def id(self) -> str:
        return f"{self.manifest.name}-{self.manifest.version}"


def open_drift(
    settings: Settings,
    database: Database,
    model: Callable[[], DescribedModel],
    *,
    tell: Callable[[DriftReport], None] = lambda _: None,
) -> WatchDrift:
    return WatchDrift(
        store=DriftWeeks(database, publish=queue_event),
        model=model,
        now=now,
        against=settings.drift_reference,
        tell=tell,
    )


def follow_drift(
    settings: Settings, database: Database, batcher: Batcher, metrics: Metrics, closing: ExitStack
) -> WatchDrift:
    """Look at drift every hour while the service runs."""

    def tell(report: DriftReport) -> None:
        metrics.drifted(values(report), DRIFT_STATES.get(report.state, 0))

    drift = open_drift(settings, database, lambda: batcher.model, tell=tell)
    periodic = Periodic("drift", drift, first=DRIFT_FIRST, every=DRIFT_EVERY)
    closing.callback(periodic.close)
    periodic.start()
    return drift


def find_bundle(settings: Settings, name: str | None) -> Found:
    """Return a bundle by version or folder, the accepted one for None; raises NotFound, BundleError."""
    if name is None:
        folder = read_accepted(settings.models)
        return Found(folder=folder, manifest=read_manifest(folder))
    try:
        version = Registry(settings.models).find(name)
    except NotFound:
        if not (Path(name) / "manifest.json").is_file():
            raise
        return Found(folder=Path(name), manifest=read_manifest(Path(name)))
    return Found(folder=version.folder, manifest=version.manifest)


def try_candidate(
    settings: Settings,
    candidate: str,
    *,
    sets: Sequence[Path],
    against: str | None = None,
    limits: Path | None = None,
    robustness: Path | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Tried:
    """Hold a candidate against the accepted model and keep the verdict beside the bundles.

    Raises:
        NotFound: no such version or folder.
        CorpusError: an evaluation file cannot be read; the line is named.
        PolicyError: the limits are malformed.
    """
    ours, theirs = find_bundle(settings, candidate), find_bundle(settings, against)
    chosen = default_limits() if limits is None else load_limits(_text(limits), where=str(limits))
    policy = open_policy(settings, load_taxonomy(ours.folder / "taxonomy.yaml"))
    promised = read_calibration(ours.folder / "calibration.json").default_target
    with open_database(settings) as database:
        names = mapping(Intents(database).moves())
    target = policy.target_accuracy or promised
    trial = TryCandidate(limits=chosen, target_accuracy=target, now=now, say=say, names=names)
    environment = passed_on(settings)
    tried = trial(
        Side(id=ours.id, labeller=BundleProcess(ours.folder, environment=environment)),
        Side(id=theirs.id, labeller=BundleProcess(theirs.folder, environment=environment)),
        sets=read_sets(sets),
        cases=read_robustness(robustness),
        identical=same_model(ours.manifest, theirs.manifest),
    )
    Trials(settings.models).keep(ours.manifest, theirs.manifest, tried.data)
    return tried


def open_intents(
    database: Database, taxonomy: Callable[[], Taxonomy], *, changed: Callable[[], None] = lambda: None
) -> ChangeIntents:
    return ChangeIntents(store=Intents(database), taxonomy=taxonomy, mask=mask_text, now=now, changed=changed)


def follow_intents(
    database: Database, batcher: Batcher, examples: Callable[[], BundledExamples | None], closing: ExitStack
) -> tuple[ChangeIntents, IntentIndex]:
    """Apply what people change about intents, here at once and within seconds where it was changed elsewhere."""
    index = IntentIndex(Intents(database), model=lambda: batcher.model, examples=examples)
    index.refresh()
    periodic = Periodic("intents", index.refresh, first=INTENTS_EVERY, every=INTENTS_EVERY)
    closing.callback(periodic.close)
    periodic.start()
    return open_intents(database, lambda: batcher.model.taxonomy, changed=index.refresh), index


def follow_shadow(
    settings: Settings, database: Database, policy: Callable[[], Policy], closing: ExitStack
) -> Shadowing:
    """Let a candidate label a share of live messages beside the model that answers, where one was started."""

    def load(version: str) -> Label:
        folder = Registry(settings.models).find(version).folder
        labeller = open_labeller(settings.model_copy(update={"sessions": 1}), bundle=folder)

        def label(messages: Sequence[Message], histories: Sequence[CustomerHistory]) -> list[Labelling]:
            judge = replace(labeller.judge, policy=policy())
            return replace(labeller, judge=judge).label(messages, histories)

        return label

    shadowing = Shadowing(Shadows(database), load=load, now=now)
    closing.callback(shadowing.close)
    shadowing.start()
    return shadowing


def start_shadow(settings: Settings, database: Database, version: str, share: float, *, by: str) -> Shadow:
    """Start a shadow; raises NotFound, Conflict for the accepted model, InputError for a share outside (0, 1]."""
    if not 0 < share <= 1:
        raise InputError(f"share {share:g} is not within 0 to 1: write 0.1 for a tenth of the messages")
    chosen = Registry(settings.models).find(version)
    if chosen.accepted:
        raise Conflict(f"model {chosen.id} answers already: a shadow is another version")
    return Shadows(database).start(chosen.manifest.version, share, by=by, at=now())


@dataclass(frozen=True, kw_only=True)
class Trained:
    version: Version
    holdout: Path  # labelled messages that nothing was trained on


def train(
    settings: Settings,
    corpora: tuple[Path, ...],
    *,
    out: Path | None = None,
    public_sets: Path | None = None,
    recipe: Path | None = None,
    changes: tuple[str, ...] = (),
    say: Callable[[str], None] = lambda _: None,
    check: Callable[[], None] = lambda: None,
    niceness: int = 0,
) -> Trained:
    """Train a candidate from the accepted model and take it in.

    Raises:
        ConfigurationError: the train extra or the training package is not there.
        CorpusError: a corpus does not exist.
        JobError: training failed; the same call goes on where it was.
    """
    process = TrainProcess(settings.training_folder, niceness=niceness)
    process.require()
    missing = [str(path) for path in corpora if not path.is_file()]
    if missing:
        raise CorpusError(f"corpus {', '.join(missing)} does not exist")
    parent = find_bundle(settings, None)
    registry = Registry(settings.models)
    run = out or settings.training_runs / _run_name(parent, corpora, changes)
    taxonomy, moves, further = _label_changes(settings, run, parent)
    bundle = process.run(
        TrainOrder(
            corpora=(*corpora, *further),
            parent=parent.folder,
            out=run,
            version=_candidate_version(run, registry, parent),
            taxonomy=taxonomy,
            moves=moves,
            changes=changes,
            public_sets=public_sets,
            recipe=recipe,
        ),
        say=say,
        check=check,
    )
    return Trained(version=registry.add(bundle), holdout=run / "holdout.jsonl")


def train_job(settings: Settings) -> TrainJob:
    """Return what carries out training jobs, with lower priority than the answers to customers."""

    def run(params: Mapping[str, Any], *, say: Callable[[str], None], check: Callable[[], None]) -> Mapping[str, Any]:
        trained = train(
            settings,
            tuple(Path(path) for path in params["corpora"]),
            changes=tuple(params.get("changes", ())),
            say=say,
            check=check,
            niceness=JOB_NICENESS,
        )
        metrics = dict(trained.version.metrics)
        return {"version": trained.version.manifest.version, "holdout": str(trained.holdout), "metrics": metrics}

    return TrainJob(train=run)


def _label_changes(settings: Settings, run: Path, parent: Found) -> tuple[Path | None, Path | None, tuple[Path, ...]]:
    """Write what people changed about labels into the run, once: (taxonomy, moves, examples of new intents)."""
    taxonomy, moves, examples = run / "taxonomy.yaml", run / "moves.json", run / "provisional.jsonl"
    if not moves.is_file():
        with open_database(settings) as database:
            store = Intents(database)
            names, intents = mapping(store.moves()), store.provisional()
        if not names and not intents:
            return None, None, ()
        run.mkdir(parents=True, exist_ok=True)
        raw = yaml.safe_load((parent.folder / "taxonomy.yaml").read_text(encoding="utf-8"))
        changed = change_taxonomy(raw, names, intents)
        taxonomy.write_text(yaml.safe_dump(changed, allow_unicode=True, sort_keys=False), encoding="utf-8")
        records = [
            Record(text=text, intent=intent.id, source="provisional") for intent in intents for text in intent.examples
        ]
        write_records(records, examples)
        moves.write_text(json.dumps(names), encoding="utf-8")
    return taxonomy, moves, (examples,) if examples.stat().st_size else ()


def _run_name(parent: Found, corpora: Sequence[Path], changes: Sequence[str]) -> str:
    """Name a run by what goes into it, so that the same command finds it again."""
    parts = [parent.id, *(file_hash(path) for path in corpora), *changes]
    return f"{parent.id}-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:10]}"


def _candidate_version(run: Path, registry: Registry, parent: Found) -> str:
    """Return the version that a run began with, a free one for a new run."""
    kept = run / "version.txt"
    if kept.is_file():
        return kept.read_text(encoding="utf-8").strip()
    run.mkdir(parents=True, exist_ok=True)
    version = registry.next_version(parent.manifest.version)
    kept.write_text(version + "\n", encoding="utf-8")
    return version


def read_sets(files: Sequence[Path]) -> dict[str, list[Record]]:
    """Return the records of each evaluation file by its name; raises CorpusError."""
    names = [path.stem for path in files]
    found: dict[str, list[Record]] = {}
    for path, name in zip(files, names, strict=True):
        if not path.is_file():
            raise CorpusError(f"evaluation file {path} does not exist")
        found[name if names.count(name) == 1 else str(path)] = list(read_records(path))
    return found


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as exc:
        raise PolicyError(f"limits {path} cannot be read: {exc}") from exc
