"""Quality of a bundle on the development sets: what the service's own command answers, as a table and JSON.

``python -m training.evaluate --corpora ../shared/corpora [--bundle DIR] [--json FILE] [--quick]``
"""

from __future__ import annotations

import argparse
import json
import logging
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from opencc import OpenCC
from rich.console import Console
from rich.table import Table

from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.calibration import read_calibration
from nlp_service.contract.inputs import compose
from nlp_service.contract.robustness import points, read_robustness
from nlp_service.contract.taxonomy import load_taxonomy
from nlp_service.errors import ConfigurationError
from training.data.examples import Example, bucket
from training.data.mappings import SMP_EMOTIONS
from training.data.sets import read_jsonl
from training.figures import (
    Row,
    auroc,
    calibration_error,
    calibration_floor,
    figure,
    macro_f1,
    micro_f1,
    per_label,
    reliability,
    share,
)
from training.measure import Arrays
from training.onnx_model import OnnxModel

log = logging.getLogger(__name__)

SENTIMENTS = {-2: "very_negative", -1: "negative", 0: "neutral", 1: "positive", 2: "very_positive"}
JD = ("jddc_sample", "jddc_uss", "jddc_raw", "jddc_qa")
# name, file, classes: measured with at most SAMPLE texts each
PUBLIC_SENTIMENT = (
    ("online_shopping_10_cats", "dev.jsonl", 2),
    ("waimai_10k", "dev.jsonl", 2),
    ("chnsenticorp", "test.jsonl", 2),
    ("mlsent_zh_amazon", "dev.jsonl", 3),
    ("airline_tweets", "dev.jsonl", 3),
    ("mlsent_ja_amazon", "dev.jsonl", 3),
    ("nsmc_raw_ko", "dev.jsonl", 3),
    ("mlsent_id", "dev.jsonl", 3),
    ("vlsp2016_vi", "dev.jsonl", 3),
    ("uit_vsfc_vi", "dev.jsonl", 3),
    ("wisesight_th", "dev.jsonl", 3),
    ("umsab_tweets", "dev.jsonl", 3),
)
SAMPLE, SCOPE_SAMPLE = 800, 600
_TRADITIONAL = OpenCC("s2t")


def classify(bundle: Path, messages: Sequence[Row], policy: Path | None = None) -> list[Row]:
    """Label messages with ``nlp-service classify``, the same path that serves."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
        lines = [json.dumps({"text": m["text"], "context": m.get("context", [])}, ensure_ascii=False) for m in messages]
        source.write_text("\n".join(lines) + "\n", encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "nlp_service",
            "classify",
            "--input",
            str(source),
            "--output",
            str(target),
            "--model",
            str(bundle),
            *(("--policy", str(policy)) if policy else ()),
        ]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise ConfigurationError(f"nlp-service classify failed: {result.stderr.strip()[-600:]}")
        answers = list(read_jsonl(target))
    if len(answers) != len(messages):
        raise ConfigurationError(f"nlp-service classify answered {len(answers)} of {len(messages)} messages")
    return answers


def service_figures(rows: Sequence[Row], answers: Sequence[Row]) -> tuple[list[Row], dict[str, Any]]:
    """Figures on messages labelled in our contract, and the tables behind them."""
    intents = [answer["intent"]["label"] for answer in answers]
    truth = [row["intent"] for row in rows]
    right = np.array([t == s for t, s in zip(truth, intents, strict=True)])
    confidence = np.array([answer["intent"]["confidence"] for answer in answers])
    feelings = np.array(
        [
            answer["sentiment"]["label"] == SENTIMENTS[row["sentiment"]]
            for answer, row in zip(answers, rows, strict=True)
        ]
    )
    sure = np.array([answer["sentiment"]["confidence"] for answer in answers])
    table = per_label(truth, intents)
    automatic = np.array([not answer["needs_human"]["value"] for answer in answers])
    second = np.array([s in (row["intent"], row.get("intent2")) for s, row in zip(intents, rows, strict=True)])
    jd = np.array([row["source"] in JD for row in rows])
    context = np.array([bool(row.get("context")) for row in rows])
    figures = [
        share("intent accuracy", right),
        share("intent accuracy, first or second intent", second),
        share("intent accuracy, JD chats", right[jd]),
        share("intent accuracy, other sources", right[~jd]),
        share("intent accuracy, with context", right[context]),
        share("intent accuracy, without context", right[~context]),
        figure("intent macro-F1 (5 or more examples)", macro_f1(table), len(rows)),
        share("sentiment exact", feelings),
        share("emotion", [a["emotion"]["label"] == r["emotion"] for a, r in zip(answers, rows, strict=True)]),
        micro_f1([set(row["flags"]) for row in rows], [{f["label"] for f in a["flags"]} for a in answers]),
        share("priority", [a["priority"]["level"] == r["priority"] for a, r in zip(answers, rows, strict=True)]),
        share("answered automatically", automatic),
        share("intent accuracy of what is answered automatically", right[automatic]),
        figure("coverage at 95% accuracy, threshold chosen on dev", best_coverage(confidence, right, 0.95), len(rows)),
        figure("intent calibration error", calibration_error(confidence, right), len(rows)),
        figure("intent calibration error that chance alone leaves", calibration_floor(confidence), len(rows)),
        figure("sentiment calibration error", calibration_error(sure, feelings), len(rows)),
        figure("sentiment calibration error that chance alone leaves", calibration_floor(sure), len(rows)),
    ]
    return figures, {
        "per_intent": table,
        "reliability": reliability(confidence, right),
        "confusions": confusions(truth, intents),
    }


def urgency_figure(bundle: Path, rows: Sequence[Row]) -> Row:
    """The model's own priority, before the policy's rules: what the labellers' field compares with."""
    levels = list(load_taxonomy(bundle / "taxonomy.yaml").priorities)
    said = _outputs(OnnxModel.load_bundle(bundle), rows)["priority"].argmax(1)
    return share("priority, the model's own", [levels[i] == row["priority"] for i, row in zip(said, rows, strict=True)])


def promise_figures(bundle: Path, rows: Sequence[Row], answers: Sequence[Row]) -> list[Row]:
    """What each promise of the calibration does on these messages: share above its threshold, and their accuracy."""
    confidence = np.array([answer["intent"]["confidence"] for answer in answers])
    right = np.array([a["intent"]["label"] == r["intent"] for a, r in zip(answers, rows, strict=True)])
    figures = []
    for promise in read_calibration(bundle / "calibration.json").abstention:
        sure = confidence >= promise.threshold
        figures.append(share(f"promise {promise.target_accuracy:.0%}: coverage", sure))
        figures.append(share(f"promise {promise.target_accuracy:.0%}: accuracy kept", right[sure]))
    return figures


def best_coverage(confidence: Any, right: Any, target: float) -> float:
    """Largest share of most confident messages whose accuracy is at least ``target``: what selection could reach."""
    order = np.argsort(-confidence, kind="stable")
    accuracy = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    enough = np.flatnonzero(accuracy >= target)
    return float((enough[-1] + 1) / len(order)) if len(enough) else 0.0


def confusions(truth: Sequence[str], said: Sequence[str], most: int = 25) -> list[Row]:
    """The most frequent mistakes."""
    counts: dict[tuple[str, str], int] = {}
    for t, s in zip(truth, said, strict=True):
        if t != s:
            counts[t, s] = counts.get((t, s), 0) + 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:most]
    return [{"truth": t, "said": s, "n": n} for (t, s), n in ranked]


def language_figures(corpora: Path, bundle: Path, chinese: Sequence[Row]) -> list[Row]:
    """Intent accuracy by language, and of the same Chinese in the traditional script."""
    rows = list(read_jsonl(corpora / "service_messages" / "multilingual_dev.jsonl"))
    hits = [a["intent"]["label"] == r["intent"] for a, r in zip(classify(bundle, rows), rows, strict=True)]
    languages = sorted({row["lang"] for row in rows})
    figures = [
        share(f"intent accuracy, {lang}", [h for h, r in zip(hits, rows, strict=True) if r["lang"] == lang])
        for lang in languages
    ]
    mean = float(np.mean([entry["value"] for entry in figures]))
    figures = [figure("intent accuracy, mean of 12 languages", mean, len(rows)), *figures]
    traditional = [
        {**row, "text": to_traditional(row["text"]), "context": [to_traditional(t) for t in row["context"]]}
        for row in chinese
    ]
    answers = classify(bundle, traditional)
    return [
        *figures,
        share(
            "intent accuracy, zh-Hant",
            [a["intent"]["label"] == r["intent"] for a, r in zip(answers, chinese, strict=True)],
        ),
    ]


@lru_cache(maxsize=8192)
def to_traditional(text: str) -> str:
    """The same text in the traditional script."""
    return str(_TRADITIONAL.convert(text))


def sentiment_figures(corpora: Path, bundle: Path, sample: int) -> list[Row]:
    """Two and three classes from the five steps, and the mapped emotions of smp2020."""
    figures = []
    for name, file, classes in PUBLIC_SENTIMENT:
        path = corpora / name / file
        if not path.is_file():
            continue
        rows = [row for row in draw(read_jsonl(path), sample) if row["label"] in ("negative", "neutral", "positive")]
        hits = [coarse(a, classes) == r["label"] for a, r in zip(classify(bundle, rows), rows, strict=True)]
        figures.append(share(f"{name} {file.removesuffix('.jsonl')}, {classes} classes", hits))
    path = corpora / "smp2020_ewect_usual" / "dev.jsonl"
    if path.is_file():
        rows = [row for row in draw(read_jsonl(path), sample) if row["label"] in SMP_EMOTIONS]
        said = [answer["emotion"]["label"] for answer in classify(bundle, rows)]
        table = per_label([SMP_EMOTIONS[row["label"]] for row in rows], said)
        figures.append(figure("smp2020_ewect_usual dev, macro-F1 of mapped emotions", macro_f1(table), len(rows)))
    return figures


def coarse(answer: Row, classes: int) -> str:
    """Two classes by the sign of the score, three by the label."""
    if classes == 2:
        return "positive" if answer["sentiment"]["score"] > 0 else "negative"
    label = str(answer["sentiment"]["label"])
    return "neutral" if label == "neutral" else label.removeprefix("very_")


def scope_figures(corpora: Path, bundle: Path, chinese: Sequence[Row], sample: int) -> list[Row]:
    """How well texts that are no messages to a service are told apart, and whether they end with a person."""
    model = OnnxModel.load_bundle(bundle)
    commands = draw(read_jsonl(corpora / "massive_zh_cn" / "dev.jsonl"), sample)
    trivia = [row for row in read_jsonl(corpora / "clinc150_oos" / "dev.jsonl") if row["label"] == "oos"]
    inside = _scope(model, chinese)
    figures = []
    for name, rows in (("MASSIVE zh-CN dev", commands), ("CLINC150 oos dev", trivia)):
        if rows:
            figures.append(figure(f"out-of-scope AUROC against {name}", auroc(inside, _scope(model, rows)), len(rows)))
            human = [answer["needs_human"]["value"] for answer in classify(bundle, rows)]
            figures.append(share(f"{name}: handed to a person", human))
    return figures


def robustness_figures(bundle: Path) -> list[Row]:
    """Share of expectations met by family of minimal changes; known failures are reported, not counted in `all`."""
    cases = read_robustness()
    bases = sorted({case["expect"]["same_as"] for case in cases if "same_as" in case["expect"]})
    answers = classify(bundle, [*cases, *({"text": base} for base in bases)])
    of_base = dict(zip(bases, answers[len(cases) :], strict=True))
    met: dict[str, list[bool]] = {}
    for case, answer in zip(cases, answers, strict=False):
        found = points(case["expect"], answer, of_base.get(case["expect"].get("same_as", "")))
        if case.get("known_failure"):
            met.setdefault(f"{case['family']} (known failures)", []).extend(found)
        else:
            met.setdefault(case["family"], []).extend(found)
            met.setdefault("all", []).extend(found)
    return [share(f"robustness, {family}", found) for family, found in sorted(met.items())]


def _scope(model: OnnxModel, rows: Sequence[Row]) -> Any:
    return _outputs(model, rows)["scope"][:, 0].astype(np.float64)


def _outputs(model: OnnxModel, rows: Sequence[Row]) -> Arrays:
    examples = []
    for row in rows:
        text, context = compose(row["text"], row.get("context", ()))
        examples.append(Example(text=text, context=context))
    return model.run(examples)


def draw(rows: Iterable[Row], sample: int) -> list[Row]:
    """A fixed sample of rows, by hash of the text."""
    return sorted(rows, key=lambda row: bucket(row["text"], 1 << 30, seed="evaluate"))[:sample]


def evaluate(corpora: Path, bundle: Path, *, quick: bool) -> dict[str, Any]:
    """Everything; ``quick`` looks at our own development messages alone."""
    chinese = list(read_jsonl(corpora / "service_messages" / "dev.jsonl"))
    answers = classify(bundle, chinese)
    figures, tables = service_figures(chinese, answers)
    figures += promise_figures(bundle, chinese, answers)
    if not quick:
        figures.append(urgency_figure(bundle, chinese))
        figures += language_figures(corpora, bundle, chinese)
        figures += scope_figures(corpora, bundle, chinese, SCOPE_SAMPLE)
        figures += sentiment_figures(corpora, bundle, SAMPLE)
        figures += robustness_figures(bundle)
    return {"bundle": bundle.name, "figures": figures, **tables}


def print_report(report: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table("figure", "value", "95% interval", "n", title=report["bundle"])
    for entry in report["figures"]:
        interval = "" if "interval" not in entry else f"{entry['interval'][0]:.3f} – {entry['interval'][1]:.3f}"
        table.add_row(entry["name"], f"{entry['value']:.3f}", interval, str(entry["n"]))
    Console().print(table)


def main(arguments: list[str] | None = None) -> int:
    options = argparse.ArgumentParser(prog="python -m training.evaluate", description=__doc__)
    options.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    options.add_argument("--models", type=Path, default=Path("models"))
    options.add_argument("--bundle", type=Path, help="default: the accepted bundle of --models")
    options.add_argument("--json", type=Path, help="also write the report here")
    options.add_argument("--quick", action="store_true", help="our own development messages alone")
    chosen = options.parse_args(arguments)
    report = evaluate(chosen.corpora, chosen.bundle or read_accepted(chosen.models), quick=chosen.quick)
    print_report(report)
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(report, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
