"""What does a new intent gain from ten examples at once, and what do the others lose?

python -m benchmarks.new_intent [--bundle models/…] [--corpus FILE]

Each of ten intents is left out in turn: its messages are taken from the known half, ten of them make the prototype, and
the other half is labelled by nearest prototype with and without it. Messages are the examples that the bundle carries
with their stored embeddings, or those of --corpus, embedded once. The encoder has seen the intents left out when it was
trained, which flatters the figures; a label that it never saw is measured by --corpus in another taxonomy.
"""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.sample import machine, write_results
from nlp_service.adapters.examples import BundledExamples
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.corpus import read_records
from nlp_service.contract.inputs import compose
from nlp_service.core.provisional import fit, squared_distances

MODELS = Path(__file__).parent.parent / "models"
INTENTS, EXAMPLES, DRAWS, SEED = 10, 10, 5, 20
WANTED_F1, ALLOWED_LOSS = 0.80, 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--corpus", type=Path, default=None, help="labelled messages in the corpus format")
    parser.add_argument("--lang", default="zh")
    arguments = parser.parse_args()
    bundle = arguments.bundle or read_accepted(MODELS)
    vectors, labels = embed(bundle, arguments.corpus) if arguments.corpus else stored(bundle, arguments.lang)
    half = np.random.default_rng(SEED).random(len(vectors)) < 0.5
    names = chosen(labels[half])
    rows = [left_out(vectors, labels, half, name, draw) for name in names for draw in range(DRAWS)]
    by_intent = {
        name: {key: round(float(np.mean([row[key] for row in rows if row["intent"] == name])), 4) for key in KEYS}
        for name in names
    }
    results = {
        "bundle": bundle.name,
        "machine": machine(),
        "corpus": arguments.corpus.name if arguments.corpus else f"examples of the bundle, {arguments.lang}",
        "messages": len(vectors),
        "examples": EXAMPLES,
        "draws": DRAWS,
        "wanted": {"f1": WANTED_F1, "lost": ALLOWED_LOSS},
        "mean": {key: round(float(np.mean([row[key] for row in rows])), 4) for key in KEYS},
        "worst": {"f1": min(v["f1"] for v in by_intent.values()), "lost": max(v["lost"] for v in by_intent.values())},
        "by_intent": by_intent,
    }
    print(f"F1 {results['mean']}, worst {results['worst']}; written to {write_results('new_intent', results)}")


KEYS = ("f1", "precision", "recall", "lost", "expected_confidence", "accuracy_of_taken")


def stored(bundle: Path, lang: str) -> tuple[Any, Any]:
    """The bundle's examples in one language: unit vectors (n, d) and intents (n,)."""
    examples = BundledExamples.load(bundle)
    if examples is None:
        raise SystemExit(f"{bundle} carries no examples: give --corpus")
    carried = examples.examples
    kept = [place for place, example in enumerate(carried) if example.lang == lang]
    return examples.vectors()[kept], np.array([carried[place].intent for place in kept])


def embed(bundle: Path, corpus: Path) -> tuple[Any, Any]:
    """Messages of a corpus with their embeddings."""
    records = [record for record in read_records(corpus) if record.intent]
    model = OnnxModel.load(bundle, sessions=1)
    scores = model.score([compose(record.text, record.context) for record in records])
    return scores.embedding, np.array([record.intent for record in records])


def chosen(labels: Any) -> list[str]:
    """Ten intents, common and rarer ones, each with enough messages for the examples."""
    enough = [name for name, count in Counter(labels.tolist()).most_common() if count >= 2 * EXAMPLES]
    step = max(1, len(enough) // INTENTS)
    return enough[::step][:INTENTS]


def left_out(vectors: Any, labels: Any, half: Any, name: str, draw: int) -> dict[str, Any]:
    """One intent, one draw of its examples."""
    known = half & (labels != name)
    own = np.random.default_rng(draw).choice(np.flatnonzero(half & (labels == name)), EXAMPLES, replace=False)
    head = fit({name: vectors[own]}, vectors[known], labels[known].tolist())
    classes = np.unique(labels[known])
    tested, truth = vectors[~half], labels[~half]
    before = classes[squared_distances(tested @ head.whiten, head.known).argmin(1)]
    probability = head.probabilities(tested)[:, 0]
    taken, wanted = probability >= 0.5, truth == name
    hits, others = int((taken & wanted).sum()), ~wanted
    lost = float(((before == truth) & taken)[others].mean())
    return {
        "intent": name,
        "f1": 2 * hits / max(1, int(taken.sum() + wanted.sum())),
        "precision": hits / max(1, int(taken.sum())),
        "recall": hits / max(1, int(wanted.sum())),
        "lost": lost,
        "expected_confidence": float(probability[taken].mean()) if taken.any() else 0.0,
        "accuracy_of_taken": hits / max(1, int(taken.sum())),
    }


if __name__ == "__main__":
    main()
