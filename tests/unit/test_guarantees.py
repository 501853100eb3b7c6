"""Every test that docs/guarantees.md names exists, so that no promise stands alone."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROWS = [line for line in (ROOT / "docs" / "guarantees.md").read_text("utf-8").splitlines() if line.startswith("| ")][2:]
_NAMED = re.compile(r"`(tests/[\w/]+\.py)::([\w:]+)`")


def test_there_are_promises() -> None:
    assert len(ROWS) > 20


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip()[:60] for row in ROWS])
def test_a_promise_names_tests_that_exist(row: str) -> None:
    assert len(row.split("|")) == 5, "a row has three columns: English, Chinese, tests"
    named = _NAMED.findall(row)
    assert named
    for path, name in named:
        tree = ast.parse((ROOT / path).read_text("utf-8"))
        assert name in set(_tests(tree)), f"{path} has no {name}"


def _tests(tree: ast.Module) -> list[str]:
    found = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append(node.name)
        if isinstance(node, ast.ClassDef):
            found += [f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)]
    return found
