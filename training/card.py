"""The model card of a bundle."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from matplotlib import figure

from nlp_service import __version__
from nlp_service.contract.bundle import file_hash
from nlp_service.contract.taxonomy import Taxonomy
from training.data.assemble import TrainingData
from training.data.catalogue import SPECS
from training.recipe import DataRecipe, Recipe

LICENCES = {
    "own": "Apache-2.0 (written for this project)",
    "jddc_sample": "none stated (JD JDDC 2019 competition data, research use)",
    "chnsenticorp_htl_all": "none stated",
    "mlsent_zh_amazon": "not verified",
}

DIAGRAM = "reliability.png"


def sources(data: TrainingData) -> dict[str, int]:
    """Examples by source, most first."""
    return dict(Counter(example.source or "own" for example in (*data.main, *data.extra)).most_common())


def hashes(corpora: Path, repository: Path, recipe: DataRecipe) -> dict[str, str]:
    """SHA-256 of every training file that the recipe read."""
    files = {name: corpora / name / "train.jsonl" for name in (*recipe.service, *recipe.sets, *recipe.pretrain_sets)}
    files |= {f"{name} (dialogues)": corpora / name / "dialogues.jsonl" for name in recipe.dialogues}
    files |= {f"file {Path(path).name}": Path(path) for path in recipe.files}
    files |= {f"own/{name}": repository / "own" / f"{name}.jsonl" for name in recipe.own}
    files |= {f"annotations/{name}": repository / "annotations" / f"{name}.jsonl" for name in recipe.annotations}
    return {name: file_hash(path)[:16] for name, path in sorted(files.items()) if path.is_file()}


def revision() -> str:
    """Return what the code was: the release, and the commit where the checkout is one."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return f"{__version__} {found.stdout.strip()}"


def render(
    recipe: Recipe, name: str, version: str, taxonomy: Taxonomy, counts: Mapping[str, int], report: Mapping[str, Any]
) -> str:
    """Return the card as Markdown; ``report`` is what ``python -m training evaluate`` wrote."""
    parts = [
        f"# {name} {version}",
        _about(recipe, taxonomy),
        _data(counts),
        _training(recipe),
        _figures(report),
        _limits(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _about(recipe: Recipe, taxonomy: Taxonomy) -> str:
    return (
        f"One pass of a multilingual encoder labels a customer message: intent ({len(taxonomy.intents)}), sentiment "
        f"({len(taxonomy.sentiments)} steps), emotion ({len(taxonomy.emotions)}), flags ({len(taxonomy.flags)}), "
        "priority, whether it is a message to a service at all, and an embedding for themes.\n\n"
        f"Languages: {', '.join(recipe.languages)}. Encoder: intfloat/multilingual-e5-small (MIT), vocabulary trimmed "
        "to these languages; its table stays in the 4-bit blocks of the package it came from, the layers are int8."
    )


def _data(counts: Mapping[str, int]) -> str:
    rows = ["## Data", "", "| source | messages | licence as stated |", "|---|---|---|"]
    for source, count in counts.items():
        licence = LICENCES.get(source) or (SPECS[source].licence if source in SPECS else "see its SOURCE.md")
        rows.append(f"| {source} | {count} | {licence} |")
    rows.append(
        "\nThe texts of public sets are not part of this repository. Sets marked as research use or without a stated "
        "licence taught weights only; whoever needs to leave them out trains again with a shorter recipe."
    )
    return "\n".join(rows)


def _training(recipe: Recipe) -> str:
    settings = "\n".join(f"- {key}: {value}" for key, value in asdict(recipe.train).items())
    title = f"Recipe `{recipe.name}`, seed {recipe.seed}; `training/LOG.md` has every experiment."
    return f"## Training\n\n{title}\n\n{settings}"


def _figures(report: Mapping[str, Any]) -> str:
    if not report:
        return ""
    rows = [
        "## Figures",
        "",
        "From the int8 bundle; 95% bootstrap intervals.",
        "",
        "| figure | value | interval | n |",
        "|---|---|---|---|",
    ]
    for entry in report.get("figures", []):
        low, high = entry.get("interval", (None, None))
        interval = f"{low:.3f} to {high:.3f}" if low is not None else ""
        rows.append(f"| {entry['name']} | {entry['value']:.3f} | {interval} | {entry['n']} |")
    per_label = report.get("per_intent", [])
    if per_label:
        rows += ["", "### Intents on dev", "", "| intent | precision | recall | F1 | n |", "|---|---|---|---|---|"]
        rows += [
            f"| {r['intent']} | {r['precision']:.2f} | {r['recall']:.2f} | {r['f1']:.2f} | {r['n']} |"
            for r in per_label
        ]
    reliability = report.get("reliability", [])
    if reliability:
        rows += [
            "",
            "### Reliability of the intent confidence",
            "",
            f"![reliability diagram]({DIAGRAM})",
            "",
            "| confidence | accuracy | messages |",
            "|---|---|---|",
        ]
        rows += [f"| {r['confidence']:.2f} | {r['accuracy']:.2f} | {r['n']} |" for r in reliability]
    return "\n".join(rows)


def draw_reliability(report: Mapping[str, Any], target: Path) -> None:
    """Draw accuracy over confidence, the size of a point by its messages; nothing without such figures."""
    bins = report.get("reliability", [])
    if not bins:
        return
    drawn = figure.Figure(figsize=(4.2, 4.0), layout="constrained")
    axes = drawn.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    confidence, accuracy = [b["confidence"] for b in bins], [b["accuracy"] for b in bins]
    axes.plot(confidence, accuracy, color="tab:blue", linewidth=1)
    axes.scatter(confidence, accuracy, s=[20 + b["n"] / 2 for b in bins], color="tab:blue", alpha=0.6)
    axes.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", title="Intent, development messages")
    drawn.savefig(target, dpi=110)


def _limits() -> str:
    return (
        "## Limits\n\n"
        "- Trained mostly on Chinese e-commerce, telecom, finance and review text; other industries need examples.\n"
        "- Sarcasm and second-hand reports are often misread.\n"
        "- A message without words, or in a language that is not served, goes to a person.\n"
        "- Rare intents rest on few real examples; the table above shows which.\n"
        "- The 4-bit table and int8 layers differ slightly from the float model; calibration used the exported one."
    )
