"""A taxonomy for somebody else's corpus: its labels become the intents, everything else comes from ours.

``python -m training taxonomy --from banking77/train.jsonl --field label --out banking77.yaml``
"""

from __future__ import annotations

import argparse
from pathlib import Path

import yaml

from nlp_service.contract.taxonomy import load_taxonomy
from nlp_service.errors import CorpusError
from training.data.sets import read_jsonl

DEPARTMENT = "general_desk"
# What any taxonomy with our flags can be served with: `nlp-service classify --policy FILE`.
POLICY = """# Written by `python -m training taxonomy`: rules that name no intent. Add your own.
version: 1
priority:
  - {id: escalation_threat, when: {flag: escalation_threat}, level: urgent}
  - {id: safety_hazard, when: {flag: safety_hazard}, level: urgent}
  - {id: fraud_suspicion, when: {flag: fraud_suspicion}, level: urgent}
"""


def labels_of(path: Path, field: str, outside: str | None) -> list[str]:
    """The distinct labels of a JSONL file, sorted; raises CorpusError where a line has none."""
    labels = set()
    for number, row in enumerate(read_jsonl(path), 1):
        if not isinstance(row.get(field), str):
            raise CorpusError(f"{path}:{number}: {field!r} must be a string")
        labels.add(row[field])
    return sorted(labels - {outside})


def write_taxonomy(labels: list[str], base: Path, target: Path) -> None:
    """Write a taxonomy whose intents are ``labels``; everything else is that of ``base``."""
    load_taxonomy(base)
    raw = yaml.safe_load(base.read_text(encoding="utf-8"))
    raw["groups"] = {"all": {"zh": "全部", "en": "All"}}
    raw["intents"] = {
        label: {"group": "all", "zh": label, "en": label.replace("_", " "), "route": DEPARTMENT, "covers": ""}
        for label in labels
    }
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m training taxonomy", description=__doc__)
    options.add_argument("--from", dest="source", type=Path, required=True, help="JSONL with a label a line")
    options.add_argument("--field", default="label")
    options.add_argument("--outside", help="the label of what is out of scope, e.g. oos")
    options.add_argument("--base", type=Path, default=Path("corpora/taxonomy.yaml"))
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--policy", type=Path, help="also write a policy here that names none of our intents")
    chosen = options.parse_args(arguments)
    labels = labels_of(chosen.source, chosen.field, chosen.outside)
    write_taxonomy(labels, chosen.base, chosen.out)
    if chosen.policy:
        chosen.policy.write_text(POLICY, encoding="utf-8")
    print(f"{chosen.out}: {len(labels)} intents")
    return 0
