"""Are themes found, counted honestly, fast and stable? With BERTopic beside, on the same embeddings in the same run.

    python -m benchmarks.themes all|known|planted|stability|speed|scale [--peer PYTHON] [--other BUNDLE]

``--peer`` is the Python of an environment with bertopic installed; without it BERTopic is left out. Seconds are CPU
seconds, so that other work on the machine does not count. Each part is written to results/themes.json as it ends, with
what it depends on; a run that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import hashlib
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

from benchmarks.theme_planted import Stage
from benchmarks.theme_sets import embed, known_sets, stream_texts
from benchmarks.theme_stability import run_stability
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.assign import Anchors, themes_of
from nlp_service.core.themes.discover import discover
from nlp_service.core.themes.space import unit

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


def known(options: argparse.Namespace) -> None:
    """Compare with labelled topics on every set: on the half of the topics that no parameter was chosen on."""
    model = load(options)
    for name, read in known_sets(options.corpora).items():
        part = f"known.{name}.{options.half}"
        if done(part, options, model):
            continue
        texts, truth = half(*read(), options.half)
        chosen = np.sort(np.random.default_rng(0).permutation(len(texts))[: options.limit])
        texts, truth = [texts[index] for index in chosen], truth[chosen]
        embeddings = embed(model, texts, options.cache)
        started = time.process_time()
        labels = discover(embeddings).labels(len(texts))
        rows = {"ours": figures(truth, labels, time.process_time() - started)}
        language = "en" if name in ("clinc150", "banking77") else "zh"
        rows.update(peer(options, embeddings, texts, truth, language))
        for system, row in rows.items():
            print(f"{name:14s} {system:18s} " + " ".join(f"{key}={value}" for key, value in row.items()), flush=True)
        write(part, {"messages": len(texts), "topics": len(set(truth.tolist())), **rows}, options, model)


def half(texts: list[str], truth: Labels, which: str) -> tuple[list[str], Labels]:
    """Return the messages of every second topic: parameters are chosen on "chosen", figures are of "reported"."""
    rows = np.flatnonzero(truth % 2 == (which == "reported"))
    return [texts[row] for row in rows], truth[rows]


def peer(
    options: argparse.Namespace,
    embeddings: FloatArray,
    texts: list[str],
    truth: Labels,
    language: str,
    modes: tuple[str, ...] = ("default", "tuned"),
) -> dict[str, dict[str, float]]:
    """Run BERTopic with its defaults, tuned, and tuned with outlier reduction."""
    if options.peer is None:
        return {}
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(source, e=embeddings, t=np.array(texts, dtype=object))
        for mode in modes:
            command = [options.peer, str(ROOT / "benchmarks" / "theme_peer.py"), str(source), str(target)]
            subprocess.run([*command, mode, language], check=True)
            found = np.load(target)
            rows[f"bertopic_{mode}"] = figures(truth, found["labels"], float(found["seconds"]))
            if "reduced" in found:
                rows["bertopic_reduced"] = figures(truth, found["reduced"], float(found["seconds"]))
    return rows


def planted(options: argparse.Namespace) -> None:
    """Plant twelve complaints into a real stream and see what is said of them; then alarms of an unchanged one."""
    model = load(options)
    stage = Stage.open(model, options.corpora, options.cache, per_day=options.per_day)
    for kind, count, play in (("draw", options.draws, stage.story), ("unchanged", options.unchanged, stage.alarms)):
        for seed in range(count):
            part = f"planted.{kind}_{seed}"
            if not done(part, options, model):
                write(part, play(seed), options, model)


def speed(options: argparse.Namespace) -> None:
    """CPU seconds for ``--speed-messages`` embeddings, BERTopic beside: texts play no part in its clustering."""
    model = load(options)
    part = f"speed_{options.speed_messages}"
    if done(part, options, model):
        return
    rows = augmented(options, model, options.speed_messages)
    started = time.process_time()
    discover(rows)
    found: dict[str, Any] = {"ours": {"cpu_seconds": round(time.process_time() - started, 1)}}
    base = stream_texts(options.corpora)
    texts = [base[index % len(base)] for index in range(len(rows))]
    truth = np.zeros(len(rows), dtype=np.int64)
    for system, row in peer(options, rows, texts, truth, "zh", modes=("default",)).items():
        found[system] = {"cpu_seconds": row["cpu_seconds"]}
        found["times_faster"] = round(row["cpu_seconds"] / found["ours"]["cpu_seconds"], 1)
    write(part, {"messages": len(rows), **found}, options, model)


def augmented(options: argparse.Namespace, model: OnnxModel, count: int) -> FloatArray:
    """Draw real embeddings with replacement, each moved a little, (count, d), unit norm."""
    base = embed(model, stream_texts(options.corpora)[: options.base], options.cache)
    random = np.random.default_rng(0)
    rows = base[random.integers(0, len(base), count)]
    spread = 0.25 / np.sqrt(base.shape[1])
    for start in range(0, len(rows), 100_000):  # in place: memory is part of what is measured
        part = rows[start : start + 100_000]
        part += random.standard_normal(part.shape, dtype=np.float32) * np.float32(spread)
        part /= np.linalg.norm(part, axis=1, keepdims=True)
    return rows


def scale(options: argparse.Namespace) -> None:
    """Mine real embeddings augmented to ``--messages``, and assign one message against 5,000 themes."""
    model = load(options)
    part = f"scale_{options.messages}"
    if done(part, options, model):
        return
    rows = augmented(options, model, options.messages)
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
    centres = unit(rows[:5000] - found.space.origin)
    anchors = Anchors.of(found.space, [(str(number), centre, 0.5) for number, centre in enumerate(centres)])
    started = time.process_time()
    for index in range(500):
        themes_of(rows[index], anchors)
    result["assign_ms_of_5000_themes"] = round((time.process_time() - started) * 2, 3)
    write(part, result, options, model)


def stability(options: argparse.Namespace) -> None:
    """Identities kept from window to window, and under the bundle ``--other`` where one is given."""
    model = load(options)
    other = OnnxModel.load(options.other, sessions=1) if options.other else None
    if not done("stability", options, model):
        found = run_stability(model, other, options.corpora, options.cache, base=options.base)
        write("stability", found, options, model)


def load(options: argparse.Namespace) -> OnnxModel:
    return OnnxModel.load(read_accepted(options.models), sessions=1)


def done(part: str, options: argparse.Namespace, model: OnnxModel) -> bool:
    """Tell whether a part was measured before by the same code, model and sizes: a run that was cut off goes on."""
    return bool(read_results(options).get(part, {}).get("measured") == stamp(options, model)) and not options.again


def write(part: str, found: Mapping[str, Any], options: argparse.Namespace, model: OnnxModel) -> None:
    """Put a part beside those measured earlier, whole or not at all."""
    print(part, dict(found), flush=True)
    options.results.parent.mkdir(exist_ok=True)
    merged = {**read_results(options), part: {"measured": stamp(options, model), **found}}
    beside = options.results.with_suffix(".part")
    beside.write_text(json.dumps(merged, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    beside.replace(options.results)


def read_results(options: argparse.Namespace) -> dict[str, Any]:
    return json.loads(options.results.read_text(encoding="utf-8")) if options.results.is_file() else {}


def stamp(options: argparse.Namespace, model: OnnxModel) -> dict[str, Any]:
    """What a figure depends on besides the machine."""
    code = hashlib.blake2b(digest_size=6)
    for path in sorted((ROOT / "nlp_service" / "core" / "themes").glob("*.py")):
        code.update(path.read_bytes())
    return {
        "model": f"{model.identity.name} {model.identity.version}",
        "code": code.hexdigest(),
        "sizes": [options.limit, options.base, options.per_day],
        "peer": options.peer is not None,
        "other": options.other.name if options.other else None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    questions = {"known": known, "planted": planted, "stability": stability, "speed": speed, "scale": scale}
    parser.add_argument("question", choices=("all", *questions))
    parser.add_argument("--corpora", type=Path, default=ROOT / ".." / "shared" / "corpora")
    parser.add_argument("--models", type=Path, default=ROOT / "models")
    parser.add_argument("--other", type=Path, help="bundle of another model, for the identities under a new model")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "theme-embeddings")
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--again", action="store_true", help="measure also what was measured before")
    parser.add_argument("--peer", help="Python with bertopic installed")
    parser.add_argument("--half", choices=("chosen", "reported"), default="reported", help="of every set's topics")
    parser.add_argument("--limit", type=int, default=3000, help="messages of a set at most")
    parser.add_argument("--messages", type=int, default=1_000_000, help="of the scale run")
    parser.add_argument("--speed-messages", type=int, default=100_000, help="of the comparison of speed")
    parser.add_argument("--base", type=int, default=12_000, help="real messages behind scale and stability")
    parser.add_argument("--draws", type=int, default=5, help="streams of the planted run")
    parser.add_argument("--unchanged", type=int, default=10, help="unchanged streams of the planted run")
    parser.add_argument("--per-day", type=int, default=400, help="messages a day of the planted stream")
    options = parser.parse_args()
    if not options.corpora.is_dir():
        sys.exit(f"no corpora in {options.corpora}: give --corpora")
    for question in questions if options.question == "all" else (options.question,):
        questions[question](options)


if __name__ == "__main__":
    main()
