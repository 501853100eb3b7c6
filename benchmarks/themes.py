"""Are themes found, counted honestly, fast and stable? With BERTopic beside, on the same embeddings in the same run.

    python -m benchmarks.themes known|planted|scale|stability [--peer PYTHON] [--limit 3000]

``--peer`` is the Python of an environment with bertopic installed; without it BERTopic is left out. Seconds are CPU
seconds, so that other work on the machine does not count. Results are merged into results/themes.json.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.metrics.cluster import pair_confusion_matrix

from benchmarks.theme_planted import run_planted
from benchmarks.theme_sets import embed, known_sets, stream_texts
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.assign import Anchors, themes_of
from nlp_service.core.themes.discover import discover
from nlp_service.core.themes.space import Space, unit

RESULTS = Path(__file__).parent / "results" / "themes.json"
ROOT = Path(__file__).parent.parent
Labels = npt.NDArray[np.int64]


def figures(truth: Labels, labels: Labels, seconds: float) -> dict[str, float]:
    """Agreement with known topics; outliers count as one group, as they are shown to users."""
    confusion = pair_confusion_matrix(truth, labels)
    pairs = 2 * confusion[1, 1] / max(2 * confusion[1, 1] + confusion[0, 1] + confusion[1, 0], 1)
    inside = labels >= 0
    return {
        "nmi": round(float(normalized_mutual_info_score(truth, labels)), 4),
        "nmi_inside": round(float(normalized_mutual_info_score(truth[inside], labels[inside])), 4),
        "ari": round(float(adjusted_rand_score(truth, labels)), 4),
        "pair_f1": round(float(pairs), 4),
        "outliers": round(float((~inside).mean()), 4),
        "themes": int(labels.max()) + 1,
        "cpu_seconds": round(seconds, 2),
    }


def known(options: argparse.Namespace) -> dict[str, Any]:
    """Compare with labelled topics on every set."""
    model = load(options)
    results: dict[str, Any] = {"model": f"{model.identity.name} {model.identity.version}"}
    for name, read in known_sets(options.corpora).items():
        texts, truth = read()
        chosen = np.sort(np.random.default_rng(0).permutation(len(texts))[: options.limit])
        texts, truth = [texts[index] for index in chosen], truth[chosen]
        embeddings = embed(model, texts, options.cache)
        started = time.process_time()
        labels = discover(embeddings).labels(len(texts))
        rows = {"ours": figures(truth, labels, time.process_time() - started)}
        language = "en" if name in ("clinc150", "banking77") else "zh"
        rows.update(peer(options, embeddings, texts, truth, language))
        results[name] = {"messages": len(texts), "topics": len(set(truth.tolist())), **rows}
        for system, row in rows.items():
            print(f"{name:14s} {system:18s} " + " ".join(f"{key}={value}" for key, value in row.items()), flush=True)
    return results


def peer(
    options: argparse.Namespace, embeddings: FloatArray, texts: list[str], truth: Labels, language: str
) -> dict[str, dict[str, float]]:
    """Run BERTopic with its defaults, tuned, and tuned with outlier reduction."""
    if options.peer is None:
        return {}
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, e=embeddings, t=np.array(texts, dtype=object))
        for mode in ("default", "tuned"):
            command = [options.peer, str(ROOT / "benchmarks" / "theme_peer.py"), str(source), str(target)]
            subprocess.run([*command, mode, language], check=True)
            found = np.load(target)
            rows[f"bertopic_{mode}"] = figures(truth, found["labels"], float(found["seconds"]))
            if "reduced" in found:
                rows["bertopic_reduced"] = figures(truth, found["reduced"], float(found["seconds"]))
    return rows


def planted(options: argparse.Namespace) -> dict[str, Any]:
    """Plant twelve complaints into a real stream and see what is said of them."""
    return run_planted(load(options), options.corpora, options.cache, draws=options.draws, per_day=options.per_day)


def scale(options: argparse.Namespace) -> dict[str, Any]:
    """Mine real embeddings augmented to ``--messages``, and assign one message against 5,000 themes."""
    model = load(options)
    base = embed(model, stream_texts(options.corpora)[: options.base], options.cache)
    random = np.random.default_rng(0)
    rows = base[random.integers(0, len(base), options.messages)]
    spread = 0.25 / np.sqrt(base.shape[1])
    for start in range(0, len(rows), 100_000):  # in place: memory is part of what is measured
        part = rows[start : start + 100_000]
        part += random.standard_normal(part.shape, dtype=np.float32) * np.float32(spread)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    wall, cpu = time.perf_counter(), time.process_time()
    found = discover(rows)
    result = {
        "messages": len(rows),
        "themes": len(found.clusters),
        "outliers": round(sum(len(out) for out in found.outliers.values()) / len(rows), 4),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "wall_seconds_on_a_shared_machine": round(time.perf_counter() - wall, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    anchors = Anchors.of(
        Space.of(base), [(str(i), centre, 0.5) for i, centre in enumerate(unit(base[:5000] - base.mean(axis=0)))]
    )
    started = time.process_time()
    for index in range(500):
        themes_of(base[index], anchors)
    result["assign_ms_of_5000_themes"] = round((time.process_time() - started) * 2, 3)
    print(result, flush=True)
    return {f"scale_{options.messages}": result}


def stability(options: argparse.Namespace) -> dict[str, Any]:
    """Share of themes that two adjacent windows have in common: two overlapping samples of a real stream."""
    from nlp_service.core.themes.match import Found, Known, match

    model = load(options)
    texts = stream_texts(options.corpora)[: options.base]
    embeddings = embed(model, texts, options.cache)
    order = np.random.default_rng(1).permutation(len(texts))
    quarter = len(order) // 4
    first, second = order[: 3 * quarter], order[quarter:]  # 28-day windows a fortnight apart share two thirds
    space = Space.of(embeddings)
    runs = [discover(embeddings[rows], space=space) for rows in (first, second)]
    names = [
        [frozenset(str(rows[i]) for i in cluster.members) for cluster in run.clusters]
        for run, rows in zip(runs, (first, second), strict=True)
    ]
    before = [
        Known(id=str(i), members=members, centroid=cluster.centroid, phrases=frozenset())
        for i, (cluster, members) in enumerate(zip(runs[0].clusters, names[0], strict=True))
    ]
    after = [
        Found(members=members, centroid=cluster.centroid, phrases=frozenset())
        for cluster, members in zip(runs[1].clusters, names[1], strict=True)
    ]
    kept = sum(identity is not None for identity in match(before, after).identity)
    without = [Known(id=k.id, members=k.members, centroid=None, phrases=k.phrases) for k in before]
    by_members = sum(identity is not None for identity in match(without, after).identity)
    least = min(len(before), len(after))
    result = {"themes": [len(before), len(after)], "kept": round(kept / least, 4)}
    result["kept_without_comparable_centroids"] = round(by_members / least, 4)
    print(result, flush=True)
    return {"stability": result}


def load(options: argparse.Namespace) -> OnnxModel:
    return OnnxModel.load(read_accepted(options.models), sessions=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("question", choices=("known", "planted", "scale", "stability"))
    parser.add_argument("--corpora", type=Path, default=ROOT / ".." / "shared" / "corpora")
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "theme-embeddings")
    parser.add_argument("--peer", help="Python with bertopic installed")
    parser.add_argument("--limit", type=int, default=3000, help="messages of a set at most")
    parser.add_argument("--messages", type=int, default=100_000, help="of the scale run")
    parser.add_argument("--base", type=int, default=12_000, help="real messages behind scale and stability")
    parser.add_argument("--draws", type=int, default=3, help="streams of the planted run")
    parser.add_argument("--per-day", type=int, default=400, help="messages a day of the planted stream")
    options = parser.parse_args()
    if not options.corpora.is_dir():
        sys.exit(f"no corpora in {options.corpora}: give --corpora")
    answers = {"known": known, "planted": planted, "scale": scale, "stability": stability}
    result = answers[options.question](options)
    write({options.question: result} if options.question in ("known", "planted") else result)


def write(found: Mapping[str, Any]) -> None:
    """Merge into the results of earlier questions."""
    earlier = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({**earlier, **found}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
