"""What the documents say holds: reference pages, links, commands, options and data in code blocks."""

from __future__ import annotations

import ast
import json
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nlp_service.cli.main import app
from nlp_service.settings import Settings
from tests.documents import ROOT, Block, blocks, documents

_LINK = re.compile(r"\]\((?!https?:|#|mailto:)([^)\s#]+)(#[^)]*)?\)")
_VARIABLE = re.compile(r"\bNLP_SERVICE_([A-Z_]+)\b")
_NOT_SETTINGS = {"JIRA_TOKEN"}  # read by one command alone
_CALLED = re.compile(r"\s*(?:[A-Z_]+=\S+\s+)*(?:\S*/)?nlp-service (.*)")


def test_reference_pages_are_what_the_code_says() -> None:
    run = [sys.executable, str(ROOT / "docs" / "reference" / "make.py"), "--check"]
    done = subprocess.run(run, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    missing = [target for target, _ in _LINK.findall(text) if not (path.parent / target).exists()]
    assert not missing, f"{path} links to what is not there: {missing}"


@pytest.mark.parametrize("path", documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_code_blocks_can_be_read(path: Path) -> None:
    for block in blocks(path):
        try:
            if block.language == "python":
                ast.parse(block.body)
            elif block.language == "json":
                json.loads(block.body)
            elif block.language == "yaml":
                yaml.safe_load(block.body)
            elif block.language == "sh":
                subprocess.run(["bash", "-n", "-c", block.body], check=True, capture_output=True)
        except (SyntaxError, ValueError, yaml.YAMLError, subprocess.CalledProcessError) as exc:
            raise AssertionError(f"{path}:{block.line}: {exc}") from exc


def test_variables_are_settings() -> None:
    known = {name.upper() for name in Settings.model_fields} | _NOT_SETTINGS
    for path in documents():
        named = set(_VARIABLE.findall(path.read_text(encoding="utf-8"))) - {""}
        assert named <= known, f"{path} names settings that are none: {named - known}"


def test_commands_and_their_options_exist() -> None:
    root: Any = typer.main.get_command(app)
    for path in documents():
        for block in blocks(path):
            for words in _commands(block):
                _check(root, words, f"{path}:{block.line}")


def _commands(block: Block) -> Iterator[list[str]]:
    """Yield the words after `nlp-service` of each command of a shell block or of one without a language."""
    if block.language not in ("sh", ""):
        return
    for line in block.body.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|[|;&]|\$\(", line.split(" #")[0]):
            if found := _CALLED.match(part):
                try:
                    yield shlex.split(found[1])
                except ValueError:  # a quoted text goes on beyond the part
                    yield found[1].split()


def _check(root: Any, words: list[str], where: str) -> None:
    context = root.make_context("nlp-service", [], resilient_parsing=True)
    command: Any = root.get_command(context, words[0]) if words and not words[0].startswith("-") else root
    assert command is not None, f"{where}: no command {words[0]}"
    children = getattr(command, "commands", {}) if command is not root else {}
    if children and len(words) > 1 and not words[1].startswith("-"):
        assert words[1] in children, f"{where}: {words[0]} has no command {words[1]}"
        command = children[words[1]]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)} | {"--help"}
    given = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
    assert given <= known, f"{where}: {' '.join(words[:2])} has no option {given - known}"


def test_notices_name_what_we_ask_for() -> None:
    notices = (ROOT / "NOTICE.md").read_text(encoding="utf-8")
    named = dict(re.findall(r"(?m)^\| \[?([a-z0-9-]+)\]?(?:\([^)]*\))? \| ([^|]+) \|$", notices))
    with (ROOT / "pyproject.toml").open("rb") as stream:
        asked = {canonicalize_name(Requirement(text).name) for text in tomllib.load(stream)["project"]["dependencies"]}
    assert asked <= set(named), "run python docs/reference/notices.py"
    assert "not stated" not in named.values()
    assert "GPL" not in notices.replace("LGPL", "")
