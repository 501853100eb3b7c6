"""What does the model add over character n-grams? TF-IDF (1 to 3) and logistic regression on the same messages.

``python -m benchmarks.baseline_tfidf --corpora ../shared/corpora [--json benchmarks/results/baseline_tfidf.json]``
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

HEADS = ("intent", "sentiment", "emotion", "priority")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    options.add_argument("--json", type=Path, default=Path("benchmarks/results/baseline_tfidf.json"))
    chosen = options.parse_args()
    train = read(chosen.corpora / "service_messages" / "train.jsonl")
    dev = read(chosen.corpora / "service_messages" / "dev.jsonl")
    began = time.perf_counter()
    vectoriser = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), sublinear_tf=True, min_df=2)
    known, fresh = vectoriser.fit_transform(r["text"] for r in train), vectoriser.transform(r["text"] for r in dev)
    results: dict[str, Any] = {"train": len(train), "dev": len(dev)}
    for head in HEADS:
        model = LogisticRegression(C=10, max_iter=60, solver="lbfgs")
        model.fit(known, [r[head] for r in train])
        results[head] = round(float((model.predict(fresh) == [r[head] for r in dev]).mean()), 4)
        print(f"{head:10} {results[head]:.3f}")
    results["seconds"] = round(time.perf_counter() - began, 1)
    chosen.json.parent.mkdir(parents=True, exist_ok=True)
    chosen.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
