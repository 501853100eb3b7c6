"""Calls generated from the OpenAPI document and from the routes of the pages, for tests that go over all of them."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, UploadFile
from fastapi.routing import iter_route_contexts

_PARAMETER = re.compile(r"\{(\w+)(?::\w+)?\}")
_METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, not sent yet."""

    method: str
    route: str  # as the application knows it, with its parameters in braces
    path: str
    page: bool = False  # for people: a cookie opens it, a form is sent
    query: Mapping[str, str] = field(default_factory=dict)
    json: Any = None
    form: Mapping[str, Any] | None = None
    files: Mapping[str, Any] | None = None

    @property
    def sent(self) -> str:
        """Everything that the caller says, to tell an echo from a leak."""
        return f"{self.path} {self.query} {self.json} {self.form}"


class Values:
    """What to put for parameters by their names; a route with a name that nobody knows fails the test."""

    def __init__(self, known: Mapping[str, Sequence[str]]) -> None:
        self._known = known

    def __getitem__(self, name: str) -> Sequence[str]:
        if name not in self._known:
            raise AssertionError(
                f"a route has the path parameter {name!r}, for which this test knows no value: "
                "seed such a thing of another department and name it in PARAMETERS"
            )
        return self._known[name]

    def get(self, name: str) -> str | None:
        return self._known[name][0] if name in self._known else None


def paths(route: str, values: Values) -> Iterator[str]:
    """Yield the route with each known value of its parameters, one value a name at a time."""
    names = _PARAMETER.findall(route)
    if not names:
        yield route
        return
    many = max(len(values[name]) for name in names)
    for number in range(many):
        chosen = {name: values[name][number % len(values[name])] for name in names}
        yield _PARAMETER.sub(lambda found, chosen=chosen: chosen[found[1]], route)  # type: ignore[misc]


def api_calls(document: Mapping[str, Any], values: Values) -> Iterator[Call]:
    """Yield every operation of an OpenAPI document with a body that fits its schema."""
    for route, operations in document["paths"].items():
        for method in _METHODS:
            if method not in operations:
                continue
            content = operations[method].get("requestBody", {}).get("content", {})
            more: dict[str, Any] = {}
            if "application/json" in content:
                more["json"] = example(content["application/json"]["schema"], document, values)
            elif content:
                more["files"] = {"file": ("messages.jsonl", b'{"text": "hello"}\n')}
            for path in paths(route, values):
                yield Call(method=method.upper(), route=route, path=path, **more)


def page_calls(app: FastAPI, values: Values) -> Iterator[Call]:
    """Yield every route that the document leaves out: the pages and what their forms send."""
    documented = set(app.openapi()["paths"])
    for found in iter_route_contexts(app.routes):
        route = str(found.path or "")
        if not route or route in documented or route == "/static" or not found.methods:
            continue
        dependant = getattr(found, "dependant", None)
        form = {} if dependant is None else {part.name: _form_value(part, values) for part in dependant.body_params}
        for method in found.methods - {"HEAD"}:
            for path in paths(route, values):
                yield Call(method=method, route=route, path=path, page=True, form=form or None)


def example(schema: Mapping[str, Any], document: Mapping[str, Any], values: Values, name: str = "") -> Any:
    """Return a value that fits a schema; strings named like a parameter take its first value."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example(schema[key][0], document, values, name)
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return schema["enum"][0]
    if schema.get("type") == "object" and "properties" in schema:
        given = schema.get("example", {})
        parts = schema["properties"]
        wanted = [part for part in parts if part in schema.get("required", ()) or part in given or values.get(part)]
        kept = {part for part in given if values.get(part) is None}
        return {part: given[part] if part in kept else example(parts[part], document, values, part) for part in wanted}
    return _plain(schema, values.get(name))


def _plain(schema: Mapping[str, Any], known: str | None) -> Any:
    kind = schema.get("type")
    if kind == "string" and known is not None:
        return known
    if schema.get("examples"):
        return schema["examples"][0]
    if "default" in schema:
        return schema["default"]
    by_kind: dict[Any, Any] = {"integer": schema.get("minimum", 1), "number": schema.get("minimum", 1)}
    by_kind |= {"boolean": True, "array": [], "object": {}, "null": None}
    return by_kind.get(kind, "2026-03-02T09:00:00Z" if schema.get("format") == "date-time" else "words")


def _form_value(part: Any, values: Values) -> Any:
    kind = part.field_info.annotation
    choices = [one for one in typing.get_args(kind) if isinstance(one, str)]
    if choices:
        return choices[0]
    if kind in (int, float) or int in typing.get_args(kind):
        return 7
    if kind is UploadFile:
        return "file"
    return values.get(part.name) or (values.get("theme_id") or "words")
