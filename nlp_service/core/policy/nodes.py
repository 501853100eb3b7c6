"""A YAML document as nodes that remember their lines, so that every complaint can name one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from nlp_service.errors import PolicyError

MAX_DEPTH = 40


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a document comes from; makes the errors about it."""

    where: str

    def error(self, node: yaml.Node, problem: str) -> PolicyError:
        return self._at(node.start_mark, problem)

    def _at(self, mark: Any, problem: str) -> PolicyError:
        return PolicyError(f"policy {self.where}, line {mark.line + 1}: {problem}")

    def compose(self, text: str) -> yaml.Node:
        """Parse without building objects; aliases are refused, since one line can stand for a billion."""
        try:
            depth = 0
            for event in yaml.parse(text, Loader=yaml.SafeLoader):
                depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
                if isinstance(event, yaml.AliasEvent):
                    raise self._at(event.start_mark, "an alias (*name) is used; write it out or name it in conditions")
                if depth > MAX_DEPTH:
                    raise self._at(event.start_mark, f"nested deeper than {MAX_DEPTH}")
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as exc:
            line = exc.problem_mark.line + 1 if exc.problem_mark is not None else 1
            raise PolicyError(f"policy {self.where}, line {line}: not YAML: {exc.problem}") from exc
        except yaml.YAMLError as exc:
            raise PolicyError(f"policy {self.where} is not YAML: {exc}") from exc
        if root is None:
            raise PolicyError(f"policy {self.where} is empty; it needs at least 'version: 1' and 'priority'")
        return root

    def mapping(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Return key -> (key node, value node); a key given twice is refused."""
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} must be a mapping, is {_kind(node)}")
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key_node, value_node in node.value:
            key = self.string(key_node, f"a key of {what}")
            if key in entries:
                raise self.error(key_node, f"{what} gives {key!r} twice")
            entries[key] = (key_node, value_node)
        return entries

    def keys(self, entries: Mapping[str, tuple[yaml.Node, yaml.Node]], allowed: Iterable[str], what: str) -> None:
        """Refuse keys that are not among those allowed."""
        known = tuple(allowed)
        for key, (key_node, _) in entries.items():
            if key not in known:
                raise self.error(key_node, f"{what} has an unknown key {key!r}; known are {', '.join(known)}")

    def sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        if not isinstance(node, yaml.SequenceNode):
            raise self.error(node, f"{what} must be a list, is {_kind(node)}")
        return list(node.value)

    def string(self, node: yaml.Node, what: str) -> str:
        if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null" or not node.value.strip():
            raise self.error(node, f"{what} must be a text, is {_kind(node)}")
        return str(node.value).strip()

    def strings(self, node: yaml.Node, what: str) -> list[str]:
        """Return one text or a list of them, never empty."""
        if isinstance(node, yaml.SequenceNode):
            if not node.value:
                raise self.error(node, f"{what} is an empty list, so that it could never hold")
            return [self.string(item, what) for item in node.value]
        return [self.string(node, what)]

    def number(self, node: yaml.Node, what: str) -> float:
        tag = node.tag.rpartition(":")[2]
        if not isinstance(node, yaml.ScalarNode) or tag not in {"int", "float"}:
            raise self.error(node, f"{what} must be a number, is {_kind(node)}")
        value: Any = yaml.safe_load(node.value)
        if not math.isfinite(value):
            raise self.error(node, f"{what} must be a finite number, is {node.value}")
        return float(value)

    def whole(self, node: yaml.Node, what: str, *, least: int) -> int:
        value = self.number(node, what)
        if value != int(value) or value < least:
            raise self.error(node, f"{what} must be a whole number from {least}, is {node.value}")
        return int(value)


def _kind(node: yaml.Node) -> str:
    if isinstance(node, yaml.MappingNode):
        return "a mapping"
    if isinstance(node, yaml.SequenceNode):
        return "a list"
    return "empty" if not str(node.value).strip() else repr(node.value)
