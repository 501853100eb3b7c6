"""Go on from a bundle with new messages: ``python -m training onward --corpus new.jsonl --parent BUNDLE --out DIR``.

A part of the new messages, by whole conversations, is held out before anything learns and judges the candidate later.
Every stage leaves its result in ``--out``: the same command after a kill goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from nlp_service.contract.bundle import file_hash, read_manifest
from nlp_service.contract.corpus import Record, read_records, write_records
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.errors import ConfigurationError, CorpusError
from training import stages
from training.data.examples import bucket, content_key, moved
from training.data.splits import SHORT
from training.evaluate import SENTIMENTS, classify
from training.figures import Row, calibration_error, macro_f1, micro_f1, per_label, reliability, share
from training.recipe import load_recipe
from training.stages import Run

log = logging.getLogger(__name__)

RECIPE = Path(__file__).parent / "recipes" / "onward.yaml"
BUCKETS = 1000
LEAST = 8  # messages of the new corpus; fewer teach nothing and hold nothing out


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, evaluate on the hold-out and complete the bundle; returns the exit status."""
    chosen = parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    taxonomy = load_taxonomy(chosen.taxonomy or chosen.parent / "taxonomy.yaml")
    moves = json.loads(chosen.moves.read_text(encoding="utf-8")) if chosen.moves else {}
    claim(chosen.out, chosen.corpus, chosen.parent, chosen.set)
    split(chosen.corpus, chosen.out, taxonomy, moves, chosen.holdout_share)
    run = build(chosen)
    for stage in (
        stages.prepare,
        stages.run_training,
        stages.run_wide,
        stages.run_export,
        stages.run_examples,
        stages.run_calibration,
        stages.complete,
    ):
        log.info("stage %s", stage.__name__.removeprefix("run_"))
        stage(run)
    report = evaluate(run.bundle, chosen.out / "holdout.jsonl")
    (run.out / "quality.json").write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    stages.complete(run)
    log.info("candidate %s in %s", run.version, run.bundle)
    return 0


def parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m training onward", description=__doc__)
    options.add_argument("--corpus", type=Path, action="append", required=True, help="JSONL in the corpus format")
    options.add_argument("--parent", type=Path, required=True, metavar="BUNDLE")
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--version", required=True, help="of the candidate")
    options.add_argument("--repository", type=Path, default=Path("corpora"), help="our own corpora folder: rehearsal")
    options.add_argument("--corpora", type=Path, default=Path("../shared/corpora"), help="public sets of the recipe")
    options.add_argument("--taxonomy", type=Path, help="labels of the candidate; default: the parent's")
    options.add_argument("--moves", type=Path, help="JSON: old intent -> new intent, for renamed and merged labels")
    options.add_argument("--recipe", type=Path, default=RECIPE)
    options.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a value of the recipe")
    options.add_argument("--holdout-share", type=float, default=0.1)
    options.add_argument("--threads", type=int, default=0)
    return options


def claim(out: Path, files: Sequence[Path], parent: Path, changes: Sequence[str]) -> None:
    """Refuse to go on with other inputs than a run began with; raises ConfigurationError, CorpusError."""
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        raise CorpusError(f"corpus {', '.join(missing)} does not exist")
    wanted = {
        "corpora": {path.name: file_hash(path) for path in files},
        "parent": dict(read_manifest(parent).files),
        "changes": list(changes),
    }
    path = out / "onward.json"
    if not path.is_file():
        out.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(wanted, indent=1), encoding="utf-8")
        part.replace(path)
        return
    if json.loads(path.read_text(encoding="utf-8")) != wanted:
        raise ConfigurationError(f"{out} holds a run with other corpora, parent or changes: choose another --out")
    log.info("going on with the run in %s", out)


def split(files: Sequence[Path], out: Path, taxonomy: Taxonomy, moves: Mapping[str, str], held_share: float) -> None:
    """Write holdout.jsonl and corpus/new.jsonl; no long text of the one is in the other.

    Raises:
        CorpusError: an unknown label, or too few messages; the label is named.
    """
    target = out / "corpus" / "new.jsonl"
    if target.is_file():
        return
    records = [moved(record, moves) for path in files for record in read_records(path)]
    for record in records:
        check(record, taxonomy)
    if len(records) < LEAST:
        raise CorpusError(f"{len(records)} messages are too few to train on: at least {LEAST} are needed")
    held = [bucket(_group(record), BUCKETS, seed="holdout") < held_share * BUCKETS for record in records]
    outside = [record for record, out_ in zip(records, held, strict=True) if out_]
    keys = {key for record in outside if len(key := content_key(record.text)) >= SHORT}
    inside = [r for r, out_ in zip(records, held, strict=True) if not out_ and content_key(r.text) not in keys]
    target.parent.mkdir(parents=True, exist_ok=True)
    write_records(outside, out / "holdout.jsonl")
    part = target.with_suffix(".part")
    write_records(inside, part)
    part.replace(target)
    log.info("%d new messages to learn from, %d held out", len(inside), len(outside))


def check(record: Record, taxonomy: Taxonomy) -> None:
    """Raise CorpusError for a label that the taxonomy lacks."""
    known = {
        "intent": ([record.intent, record.intent2], taxonomy.intents),
        "emotion": ([record.emotion], taxonomy.emotions),
        "flag": (record.flags or (), taxonomy.flags),
        "priority": ([record.priority], taxonomy.priorities),
    }
    for kind, (labels, allowed) in known.items():
        for label in labels:
            if label is not None and label not in allowed:
                raise CorpusError(
                    f"{kind} {label!r} of {record.text[:40]!r} is not in the taxonomy: "
                    "see `nlp-service corpora check`, or add it with `nlp-service intents add`"
                )


def build(chosen: argparse.Namespace) -> Run:
    """Return the run: the recipe with the new messages, in the parent's languages."""
    parent = read_manifest(chosen.parent)
    recipe = load_recipe(chosen.recipe, dict(item.split("=", 1) for item in chosen.set))
    own = tuple(
        name
        for name in recipe.data.own
        if name in parent.languages and (chosen.repository / "own" / f"{name}.jsonl").is_file()
    )
    moves = json.loads(chosen.moves.read_text(encoding="utf-8")) if chosen.moves else {}
    data = replace(recipe.data, own=own, files=(str(chosen.out / "corpus" / "new.jsonl"),), moves=moves)
    return Run(
        recipe=replace(recipe, data=data, languages=parent.languages),
        corpora=chosen.corpora,
        repository=chosen.repository,
        taxonomy_path=chosen.taxonomy or chosen.parent / "taxonomy.yaml",
        out=chosen.out,
        cache=chosen.out,
        allow_missing=True,
        parent=chosen.parent,
        name=parent.name,
        version=chosen.version,
    )


def evaluate(bundle: Path, holdout: Path) -> Row:
    """Return the figures of every head that the hold-out labels, through the service's own command."""
    records = list(read_records(holdout))
    if not records:
        return {"bundle": bundle.name, "figures": []}
    answers = classify(bundle, [{"text": r.text, "context": list(r.context)} for r in records])
    pairs = list(zip(records, answers, strict=True))
    figures = []
    intents = [(r.intent, a["intent"]) for r, a in pairs if r.intent is not None]
    right = np.array([wanted == said["label"] for wanted, said in intents])
    confidence = np.array([said["confidence"] for _, said in intents])
    table = per_label([str(wanted) for wanted, _ in intents], [said["label"] for _, said in intents])
    if intents:
        figures.append(share("intent accuracy", right))
        figures.append({"name": "intent macro-F1 (5 or more examples)", "value": macro_f1(table), "n": len(intents)})
        error = calibration_error(confidence, right)
        figures.append({"name": "intent calibration error", "value": round(error, 4), "n": len(intents)})
    for name, said, wanted in (
        ("sentiment exact", "sentiment", [None if r.sentiment is None else SENTIMENTS[r.sentiment] for r in records]),
        ("emotion", "emotion", [r.emotion for r in records]),
        ("priority", "priority", [r.priority for r in records]),
    ):
        key = "level" if said == "priority" else "label"
        hits = [a[said][key] == w for w, a in zip(wanted, answers, strict=True) if w is not None]
        if hits:
            figures.append(share(name, hits))
    flagged = [(set(r.flags), {f["label"] for f in a["flags"]}) for r, a in pairs if r.flags is not None]
    if flagged:
        figures.append(micro_f1([wanted for wanted, _ in flagged], [given for _, given in flagged]))
    drawn = reliability(confidence, right) if intents else []
    return {"bundle": bundle.name, "figures": figures, "per_intent": table, "reliability": drawn}


def _group(record: Record) -> str:
    return record.dialogue or content_key(record.text) or record.text
