"""Intents that were renamed or merged: how old data are read in today's names."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import LabelConfidence, Labels
from nlp_service.core.provisional import ProvisionalIntent
from nlp_service.errors import Conflict, NotFound

RENAME, MERGE = "rename", "merge"


@dataclass(frozen=True, kw_only=True)
class LabelMove:
    kind: str  # rename: new is a new name; merge: new existed before
    old: str
    new: str
    why: str
    moved_at: datetime
    moved_by: str


def mapping(moves: Sequence[LabelMove]) -> dict[str, str]:
    """Return old name -> today's name; a chain of moves leads to its end."""
    found: dict[str, str] = {}
    for move in moves:
        for old, new in found.items():
            if new == move.old:
                found[old] = move.new
        found[move.old] = move.new
        found.pop(move.new, None)  # renamed back
    return found


def check(move: LabelMove, known: Collection[str]) -> None:
    """Refuse a move that cannot be: NotFound for an unknown label, Conflict for a name that is taken or free."""
    if move.old not in known:
        raise NotFound(f"there is no intent {move.old!r}: it may have been moved already")
    if move.kind == RENAME and move.new in known:
        raise Conflict(f"intent {move.new!r} exists: use merge to put {move.old!r} into it")
    if move.kind == MERGE and (move.new not in known or move.new == move.old):
        raise Conflict(f"intent {move.old!r} cannot be merged into {move.new!r}: name another intent that exists")


def rename_taxonomy(taxonomy: Taxonomy, names: Mapping[str, str]) -> Taxonomy:
    """Return the taxonomy with today's names added beside the trained ones, whose columns stay where they are."""
    intents, shown = dict(taxonomy.intents), dict(taxonomy.names)
    for old, new in names.items():
        if old in intents and new not in intents:
            intents[new] = replace(intents[old], id=new)
            shown[new] = shown.get(old, {})
    return replace(taxonomy, intents=intents, names=shown)


def rename(labels: Labels, names: Mapping[str, str]) -> Labels:
    """Return the labels in today's names; the confidence of intents that were merged is summed."""
    if labels.intent.label not in names and all(item.label not in names for item in labels.alternatives):
        return labels
    sums: dict[str, float] = {}
    for item in (labels.intent, *labels.alternatives):
        name = names.get(item.label, item.label)
        sums[name] = sums.get(name, 0.0) + item.confidence
    first, *rest = [LabelConfidence(label=name, confidence=min(1.0, value)) for name, value in sums.items()]
    return replace(labels, intent=first, alternatives=tuple(rest))


def change_taxonomy(
    raw: Mapping[str, Any], names: Mapping[str, str], intents: Sequence[ProvisionalIntent]
) -> dict[str, Any]:
    """Return a taxonomy file's content with moves applied and provisional intents as full ones, for the next model."""
    kept: dict[str, Any] = {}
    for name, spec in raw["intents"].items():
        kept.setdefault(names.get(name, name), spec)
    for intent in intents:
        spec = {"group": intent.group, **intent.names, "route": intent.department, "covers": intent.examples[0]}
        kept.setdefault(intent.id, spec)
    return {**raw, "intents": kept}
