"""Read a policy from YAML; whatever is wrong is refused with its line."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import yaml

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.policy.conditions import CHOICES, NUMBERS, PAST_CHOICES, PAST_NUMBERS
from nlp_service.core.policy.nodes import Source
from nlp_service.core.policy.values import (
    All,
    AnyOf,
    Choice,
    Condition,
    Not,
    Past,
    Policy,
    PriorityRule,
    Range,
    RouteRule,
)

VERSION = 1
BOUNDS = ("above", "at_least", "below", "at_most")
STEPS = {"up": 1, "down": -1}
COMBINERS = ("all", "any", "not", "is")


def default_policy(taxonomy: Taxonomy) -> Policy:
    """Return the policy that comes with the service."""
    text = files("nlp_service").joinpath("policy/default.yaml").read_text(encoding="utf-8")
    return load_policy(text, taxonomy, where="nlp_service/policy/default.yaml")


def load_policy(text: str, taxonomy: Taxonomy, *, where: str) -> Policy:
    """Read a policy.

    Args:
        text: YAML.
        taxonomy: what intents, flags, levels and departments exist.
        where: file name or origin, for messages.

    Raises:
        PolicyError: malformed, or names something unknown; the message names the line.
    """
    source = Source(where=where)
    root = source.compose(text)
    entries = source.mapping(root, "the policy")
    source.keys(
        entries,
        ("version", "target_accuracy", "response_minutes", "departments", "conditions", "priority", "routing"),
        "the policy",
    )
    for key in ("version", "priority"):
        if key not in entries:
            raise source.error(root, f"the policy lacks {key!r}")
    version = source.whole(entries["version"][1], "version", least=1)
    if version != VERSION:
        raise source.error(entries["version"][1], f"version {version} is not known; this service reads {VERSION}")
    reader = _Reader(source=source, taxonomy=taxonomy, named={})
    if "conditions" in entries:
        for name, (_, node) in source.mapping(entries["conditions"][1], "conditions").items():
            reader.named[name] = node
            reader.condition(node, scope=_Scope(), within=(name,))  # so that an unused one is checked too
    return Policy(
        priority=reader.priority_rules(entries["priority"][1]),
        routing=reader.routing_rules(
            entries["routing"][1] if "routing" in entries else None,
            entries["departments"][1] if "departments" in entries else None,
        ),
        response_minutes=reader.response_minutes(
            entries["response_minutes"][1] if "response_minutes" in entries else None
        ),
        target_accuracy=_target(source, entries["target_accuracy"][1]) if "target_accuracy" in entries else None,
        text=text,
    )


def _target(source: Source, node: yaml.Node) -> float:
    target = source.number(node, "target_accuracy")
    if not 0.5 <= target < 1:
        raise source.error(node, f"target_accuracy must lie in [0.5, 1), is {target:g}")
    return target


@dataclass(frozen=True, kw_only=True)
class _Scope:
    """What a condition may ask about."""

    past: bool = False  # one of the customer's earlier messages, of which less is stored
    priority: bool = False  # the level is decided already

    @property
    def choices(self) -> tuple[str, ...]:
        if self.past:
            return PAST_CHOICES
        return (*CHOICES, "priority") if self.priority else CHOICES

    @property
    def numbers(self) -> tuple[str, ...]:
        return PAST_NUMBERS if self.past else NUMBERS


@dataclass(frozen=True, kw_only=True)
class _Reader:
    source: Source
    taxonomy: Taxonomy
    named: dict[str, yaml.Node]  # conditions read so far; a name may use those above it

    def priority_rules(self, node: yaml.Node) -> tuple[PriorityRule, ...]:
        rules: dict[str, PriorityRule] = {}
        for item in self.source.sequence(node, "priority"):
            entries = self.source.mapping(item, "a priority rule")
            self.source.keys(entries, ("id", "when", "level", "step", "because"), "a priority rule")
            identifier = self._identifier(item, entries, rules)
            if ("level" in entries) == ("step" in entries):
                raise self.source.error(item, f"rule {identifier!r} needs exactly one of 'level' and 'step'")
            level, step = None, 0
            if "level" in entries:
                level = self._one_of(entries["level"][1], tuple(self.taxonomy.priorities), "level")
            else:
                step = STEPS[self._one_of(entries["step"][1], tuple(STEPS), "step")]
            rules[identifier] = PriorityRule(
                id=identifier,
                when=self.condition(entries["when"][1], scope=_Scope()),
                level=level,
                step=step,
                because=self._template(entries),
            )
        return tuple(rules.values())

    def routing_rules(self, node: yaml.Node | None, departments: yaml.Node | None) -> tuple[RouteRule, ...]:
        further = self.source.strings(departments, "departments") if departments is not None else []
        known = (*self.taxonomy.departments, *further)
        rules: dict[str, RouteRule] = {}
        for item in self.source.sequence(node, "routing") if node is not None else []:
            entries = self.source.mapping(item, "a routing rule")
            self.source.keys(entries, ("id", "when", "department", "because"), "a routing rule")
            identifier = self._identifier(item, entries, rules)
            if "department" not in entries:
                raise self.source.error(item, f"rule {identifier!r} lacks 'department'")
            rules[identifier] = RouteRule(
                id=identifier,
                when=self.condition(entries["when"][1], scope=_Scope(priority=True)),
                department=self._one_of(entries["department"][1], known, "department (add your own under departments)"),
                because=self._template(entries),
            )
        return tuple(rules.values())

    def response_minutes(self, node: yaml.Node | None) -> dict[str, int]:
        minutes = dict(self.taxonomy.priorities)
        if node is None:
            return minutes
        entries = self.source.mapping(node, "response_minutes")
        self.source.keys(entries, minutes, "response_minutes")
        for level, (_, value) in entries.items():
            minutes[level] = self.source.whole(value, f"response_minutes of {level}", least=1)
        if list(minutes.values()) != sorted(minutes.values()):
            raise self.source.error(node, f"a more urgent level must not wait longer, got {minutes}")
        return minutes

    def condition(self, node: yaml.Node, *, scope: _Scope, within: tuple[str, ...] = ()) -> Condition:
        """Read a mapping of facts and combiners, all of which must hold."""
        entries = self.source.mapping(node, "a condition")
        if not entries:
            raise self.source.error(node, "a condition is empty; it would always hold")
        allowed = (*scope.choices, *scope.numbers, *COMBINERS, *(() if scope.past else ("past",)))
        self.source.keys(entries, allowed, "a condition on an earlier message" if scope.past else "a condition")
        parts = [self._part(key, value, scope=scope, within=within) for key, (_, value) in entries.items()]
        return parts[0] if len(parts) == 1 else All(parts=tuple(parts))

    def _part(self, key: str, node: yaml.Node, *, scope: _Scope, within: tuple[str, ...]) -> Condition:
        match key:
            case "all" | "any":
                parts = [self.condition(item, scope=scope, within=within) for item in self.source.sequence(node, key)]
                if not parts:
                    raise self.source.error(node, f"{key!r} needs at least one condition")
                return All(parts=tuple(parts)) if key == "all" else AnyOf(parts=tuple(parts))
            case "not":
                return Not(part=self.condition(node, scope=scope, within=within))
            case "is":
                return self._by_name(node, scope=scope, within=within)
            case "past":
                return self._past(node, within=within)
            case _ if key in scope.numbers:
                return self._range(key, node)
            case _:
                return self._choice(key, node)

    def _by_name(self, node: yaml.Node, *, scope: _Scope, within: tuple[str, ...]) -> Condition:
        name = self._one_of(node, tuple(self.named), "is")
        if name in within:
            raise self.source.error(node, f"condition {name!r} uses itself")
        return self.condition(self.named[name], scope=scope, within=(*within, name))

    def _past(self, node: yaml.Node, *, within: tuple[str, ...]) -> Past:
        entries = self.source.mapping(node, "past")
        for key in ("within_days", "at_least"):
            if key not in entries:
                raise self.source.error(node, f"past lacks {key!r}")
        days = self.source.number(entries["within_days"][1], "within_days")
        if not 0 < days <= 3650:
            raise self.source.error(entries["within_days"][1], f"within_days must lie in (0, 3650], is {days:g}")
        rest = yaml.MappingNode(
            tag=node.tag,
            value=[pair for pair in node.value if pair[0].value not in ("within_days", "at_least")],
            start_mark=node.start_mark,
            end_mark=node.end_mark,
        )
        if not rest.value:
            raise self.source.error(node, "past lacks a condition on the earlier messages, such as 'group: feedback'")
        return Past(
            within_days=days,
            at_least=self.source.whole(entries["at_least"][1], "at_least", least=1),
            condition=self.condition(rest, scope=_Scope(past=True), within=within),
        )

    def _range(self, fact: str, node: yaml.Node) -> Range:
        entries = self.source.mapping(node, fact)
        self.source.keys(entries, BOUNDS, fact)
        bounds = {key: self.source.number(value, f"{fact}.{key}") for key, (_, value) in entries.items()}
        if not bounds:
            raise self.source.error(node, f"{fact} needs one of {', '.join(BOUNDS)}")
        return Range(
            fact=fact,
            above=bounds.get("above"),
            at_least=bounds.get("at_least"),
            below=bounds.get("below"),
            at_most=bounds.get("at_most"),
        )

    def _choice(self, fact: str, node: yaml.Node) -> Choice:
        known = self._identifiers(fact)
        plain, patterns = set(), []
        for value in self.source.strings(node, fact):
            if known and value not in known:
                raise self.source.error(node, f"{fact} {value!r} is not in the taxonomy; known are {', '.join(known)}")
            if not known and ("*" in value or "?" in value):
                patterns.append(value.casefold())
            else:
                plain.add(value.casefold())
        return Choice(fact=fact, values=frozenset(plain), patterns=tuple(patterns))

    def _identifiers(self, fact: str) -> tuple[str, ...]:
        """Return what the taxonomy knows of this fact; empty for facts that the hub sends as it likes."""
        taxonomy = self.taxonomy
        by_fact = {
            "intent": tuple(taxonomy.intents),
            "group": tuple(taxonomy.groups),
            "sentiment": tuple(taxonomy.sentiments),
            "emotion": taxonomy.emotions,
            "flag": taxonomy.flags,
            "urgency": tuple(taxonomy.priorities),
            "priority": tuple(taxonomy.priorities),
        }
        return by_fact.get(fact, ())

    def _identifier(self, item: yaml.Node, entries: dict[str, tuple[yaml.Node, yaml.Node]], taken: object) -> str:
        for key in ("id", "when"):
            if key not in entries:
                raise self.source.error(item, f"a rule lacks {key!r}")
        identifier = self.source.string(entries["id"][1], "id")
        if isinstance(taken, dict) and identifier in taken:
            raise self.source.error(entries["id"][1], f"two rules have the id {identifier!r}")
        return identifier

    def _one_of(self, node: yaml.Node, known: tuple[str, ...], what: str) -> str:
        value = self.source.string(node, what)
        if value not in known:
            raise self.source.error(node, f"{what} {value!r} is not known; known are {', '.join(known)}")
        return value

    def _template(self, entries: dict[str, tuple[yaml.Node, yaml.Node]]) -> str | None:
        if "because" not in entries:
            return None
        node = entries["because"][1]
        template = self.source.string(node, "because")
        rest = template.replace("{evidence}", "")
        if "{" in rest or "}" in rest:
            raise self.source.error(node, f"because may hold {{evidence}} and no other braces, is {template!r}")
        return template
