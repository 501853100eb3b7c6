"""The label contract: identifiers, their order in the model heads, names and default departments."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from nlp_service.errors import TaxonomyError


@dataclass(frozen=True, kw_only=True)
class Group:
    id: str
    names: Mapping[str, str]  # language code -> name


@dataclass(frozen=True, kw_only=True)
class Intent:
    id: str
    group: str
    names: Mapping[str, str]
    department: str  # the default route
    covers: str  # the border to its neighbours


@dataclass(frozen=True, kw_only=True)
class Taxonomy:
    """All identifiers in file order; a head's column i is the i-th identifier."""

    version: int
    groups: Mapping[str, Group]
    intents: Mapping[str, Intent]
    sentiments: Mapping[str, int]  # id -> ordinal value, ascending
    emotions: tuple[str, ...]
    flags: tuple[str, ...]
    priorities: Mapping[str, int]  # id -> minutes until a person should respond, most urgent first
    names: Mapping[str, Mapping[str, str]]  # id -> language -> name, for every identifier

    @property
    def departments(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(intent.department for intent in self.intents.values()))

    def intent(self, identifier: str) -> Intent:
        """Return an intent; one that is no longer known, such as a provisional one that was removed, counts as other.

        Stored labellings outlive the labels of today.
        """
        known = self.intents.get(identifier)
        if known is not None:
            return known
        other = self.intents.get("other") or list(self.intents.values())[-1]
        return replace(other, id=identifier, names={})

    def name(self, identifier: str, language: str = "zh") -> str:
        """Return the display name, falling back to Chinese, then to the identifier."""
        names = self.names.get(identifier, {})
        return names.get(language) or names.get("zh") or identifier

    @cached_property
    def fingerprint(self) -> str:
        """Hash of what a model depends on: the identifiers and their order."""
        heads = [list(self.intents), list(self.sentiments), self.emotions, self.flags, list(self.priorities)]
        return hashlib.sha256(json.dumps(heads).encode()).hexdigest()[:16]


def load_taxonomy(path: Path) -> Taxonomy:
    """Read a taxonomy file.

    Raises:
        TaxonomyError: the file is missing, is not YAML, or an entry is incomplete; the entry is named.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as exc:
        raise TaxonomyError(f"taxonomy {path} cannot be read: {exc}") from exc
    if not isinstance(raw, dict):
        raise TaxonomyError(f"taxonomy {path} is not a mapping")
    try:
        return parse_taxonomy(raw)
    except KeyError as exc:
        raise TaxonomyError(f"taxonomy {path}: key {exc} is missing") from exc


def parse_taxonomy(raw: Mapping[str, Any]) -> Taxonomy:
    """Build a taxonomy from parsed YAML; raises TaxonomyError or KeyError for what is missing."""
    groups = {key: Group(id=key, names=_names(key, spec)) for key, spec in _section(raw, "groups").items()}
    intents = {key: _intent(key, spec, groups) for key, spec in _section(raw, "intents").items()}
    sentiments = {key: int(spec["value"]) for key, spec in _section(raw, "sentiment").items()}
    if list(sentiments.values()) != sorted(sentiments.values()):
        raise TaxonomyError(f"sentiment values must ascend, got {list(sentiments.values())}")
    priorities = {key: int(spec["respond_within_minutes"]) for key, spec in _section(raw, "priorities").items()}
    names: dict[str, Mapping[str, str]] = {}
    for section in ("groups", "intents", "sentiment", "emotions", "flags", "priorities"):
        names.update({key: _names(key, spec) for key, spec in _section(raw, section).items()})
    return Taxonomy(
        version=int(raw["version"]),
        groups=MappingProxyType(groups),
        intents=MappingProxyType(intents),
        sentiments=MappingProxyType(sentiments),
        emotions=tuple(_section(raw, "emotions")),
        flags=tuple(_section(raw, "flags")),
        priorities=MappingProxyType(priorities),
        names=MappingProxyType(names),
    )


def _section(raw: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    section = raw[key]
    if not isinstance(section, dict) or not section:
        raise TaxonomyError(f"taxonomy section {key!r} must be a mapping with entries")
    return section


def _names(key: str, spec: Any) -> Mapping[str, str]:
    if not isinstance(spec, dict):
        raise TaxonomyError(f"taxonomy entry {key!r} must be a mapping")
    return {lang: str(spec[lang]) for lang in spec if len(lang) == 2}


def _intent(key: str, spec: Mapping[str, Any], groups: Mapping[str, Group]) -> Intent:
    if spec["group"] not in groups:
        raise TaxonomyError(f"intent {key!r} names group {spec['group']!r}, which is not one of {sorted(groups)}")
    return Intent(
        id=key,
        group=spec["group"],
        names=_names(key, spec),
        department=spec["route"],
        covers=str(spec.get("covers", "")),
    )
