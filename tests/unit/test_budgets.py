"""The budgets of the code: no file over 500 lines, no function over 60."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES, FUNCTION_LINES = 500, 60


def sources() -> list[Path]:
    """Return our modules; migrations are lists of tables, read once and never again."""
    found = [path for folder in ("nlp_service", "training", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    return sorted(path for path in found if path.parent.name != "versions")


def test_no_file_is_too_long() -> None:
    counted = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in sources()}
    assert {name: lines for name, lines in counted.items() if lines > FILE_LINES} == {}


def test_no_function_is_too_long() -> None:
    long = {}
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"] = lines
    assert long == {}
