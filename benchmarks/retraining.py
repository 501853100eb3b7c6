"""Other people's corpora with the same train command: BANKING77 and CLINC150, judged on their test files.

``python -m benchmarks.retraining --corpora ../shared/corpora`` trains both (about 15 minutes on two quiet cores) and
writes benchmarks/results/retraining.json. A finished run in --out is not trained again.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sample import machine
from nlp_service.contract.inputs import compose
from training.data.examples import Example
from training.data.sets import read_jsonl
from training.evaluate import classify
from training.figures import auroc, figure, share
from training.onnx_model import OnnxModel

RESULT = Path("benchmarks/results/retraining.json")
Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A public set with intents of its own."""

    name: str
    outside_of: str  # the set whose test file holds its out-of-scope texts
    extra: tuple[str, ...] = ()  # options of the training command
    outside: str | None = None  # the label of what is out of scope


CORPORA = (
    Corpus(name="banking77", outside_of="banking77_oos"),
    Corpus(
        name="clinc150_oos",
        outside_of="clinc150_oos",
        outside="oos",
        extra=("--set", "data.outside_label=oos", "--set", "train.epochs=5"),
    ),
)


def train(corpus: Corpus, options: argparse.Namespace) -> Path:
    """Train with the repository's own command; returns the bundle's folder."""
    out = options.out / corpus.name
    out.mkdir(parents=True, exist_ok=True)
    source = options.corpora / corpus.name / "train.jsonl"
    outside = () if corpus.outside is None else ("--outside", corpus.outside)
    taxonomy = out / "taxonomy.yaml"
    _run("taxonomy", "--from", source, "--out", taxonomy, "--policy", out / "policy.yaml", *outside)
    where = ("--corpora", options.corpora, "--cache", options.cache, "--out", out, "--workers", options.workers)
    sets = ("--set", f"data.service=[{corpus.name}]", *corpus.extra)
    _run("run", "--recipe", "training/recipes/intents.yaml", "--taxonomy", taxonomy, *where, *sets)
    return out / "bundle"


def judge(corpus: Corpus, bundle: Path, corpora: Path) -> list[Row]:
    """Test accuracy through the service's command, and how well out-of-scope texts are told apart."""
    rows = [row for row in read_jsonl(corpora / corpus.name / "test.jsonl") if row["label"] != corpus.outside]
    outside = list(read_jsonl(corpora / corpus.outside_of / "test.jsonl"))
    if corpus.outside:
        outside = [row for row in outside if row["label"] == corpus.outside]
    answers = classify(bundle, rows, bundle.parent / "policy.yaml")
    model = OnnxModel.load_bundle(bundle)
    inside_logits, outside_logits = _outputs(model, rows), _outputs(model, outside)
    hits = [answer["intent"]["label"] == row["label"] for answer, row in zip(answers, rows, strict=True)]
    figures = [
        share(f"{corpus.name} test, intent accuracy", hits),
        figure(
            f"{corpus.name}, out-of-scope AUROC by the largest intent logit",
            auroc(-inside_logits["intent"].max(1).astype(float), -outside_logits["intent"].max(1).astype(float)),
            len(outside),
        ),
    ]
    if corpus.outside:
        scope = auroc(inside_logits["scope"][:, 0].astype(float), outside_logits["scope"][:, 0].astype(float))
        figures.append(figure(f"{corpus.name}, out-of-scope AUROC by the scope head", scope, len(outside)))
    return figures


def _outputs(model: OnnxModel, rows: list[Row]) -> dict[str, Any]:
    return model.run([Example(text=compose(row["text"])[0]) for row in rows])


def _run(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "training", *map(str, arguments)], check=True)


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m benchmarks.retraining", description=__doc__)
    options.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    options.add_argument("--cache", type=Path, default=Path(".cache/training"))
    options.add_argument("--out", type=Path, default=Path("runs/retraining"))
    options.add_argument("--workers", type=int, default=2, help="training processes of one thread")
    chosen = options.parse_args()
    figures: list[Row] = []
    for corpus in CORPORA:
        figures += judge(corpus, train(corpus, chosen), chosen.corpora)
        RESULT.write_text(json.dumps({"machine": machine(), "figures": figures}, indent=1) + "\n", encoding="utf-8")
    for row in figures:
        print(f"{row['name']}: {row['value']:.4f} (n {row['n']})")
    return 0 if np.isfinite([row["value"] for row in figures]).all() else 1


if __name__ == "__main__":
    sys.exit(main())
