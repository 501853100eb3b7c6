"""A taxonomy with the intents of an industry pack added to the core ones.

``python -m training.industry corpora/industries/bank --out runs/bank.yaml``
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from nlp_service.contract.taxonomy import load_taxonomy, parse_taxonomy
from nlp_service.errors import NlpServiceError, TaxonomyError


def extend(core: Path, pack: Path) -> dict[str, Any]:
    """Return the core taxonomy with the groups and intents of ``pack``/intents.yaml after its own.

    Raises:
        TaxonomyError: the pack cannot be read, takes an identifier that the core has, or is not whole.
    """
    load_taxonomy(core)
    raw: dict[str, Any] = yaml.safe_load(core.read_text(encoding="utf-8"))
    path = pack / "intents.yaml"
    try:
        added = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        raise TaxonomyError(f"industry pack {path} cannot be read: {exc}") from exc
    if not isinstance(added, dict) or not added.get("intents"):
        raise TaxonomyError(f"industry pack {path} adds no intents: write them under `intents:`")
    for section in ("groups", "intents"):
        fresh = added.get(section) or {}
        if taken := sorted(set(fresh) & set(raw[section])):
            raise TaxonomyError(f"industry pack {path}: {section} {', '.join(taken)} are core ones: choose other names")
        raw[section] = {**raw[section], **fresh}
    try:
        parse_taxonomy(raw)
    except (KeyError, TypeError) as exc:
        raise TaxonomyError(f"industry pack {path}: an entry lacks {exc}") from exc
    return raw


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m training.industry", description=__doc__)
    options.add_argument("pack", type=Path, help="folder with intents.yaml")
    options.add_argument("--core", type=Path, default=Path("corpora/taxonomy.yaml"))
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    try:
        raw = extend(chosen.core, chosen.pack)
    except NlpServiceError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(yaml.safe_dump(raw, allow_unicode=True, sort_keys=False), encoding="utf-8")
    print(f"{chosen.out}: {len(raw['intents'])} intents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
