"""What is installed is what was locked: every dependency pinned by hash, no registry named, the parts listed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.bundles import write_bundle

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ROOT / "requirements"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ;[^\\]*)? \\$", re.MULTILINE)


def pins(name: str) -> dict[str, set[str]]:
    """Return the locked versions of each package; more than one where they differ by Python version."""
    found: dict[str, set[str]] = {}
    for package, version in _PIN.findall((LOCKS / name).read_text("utf-8")):
        found.setdefault(str(canonicalize_name(package)), set()).add(version)
    return found


@pytest.mark.parametrize("name", ["serve.lock", "test.lock", "build.lock", "supply.lock"])
def test_every_package_is_pinned_by_hash_and_no_registry_is_named(name: str) -> None:
    text = (LOCKS / name).read_text("utf-8")
    assert pins(name)
    assert "://" not in text
    for block in re.split(r"^(?=\S)", text, flags=re.MULTILINE):
        assert not block.strip() or "--hash=sha256:" in block, block


@pytest.mark.parametrize(("name", "extras"), [("serve.lock", ()), ("test.lock", ("train", "test"))])
def test_the_lock_holds_every_dependency_within_its_bounds(name: str, extras: tuple[str, ...]) -> None:
    locked = pins(name)
    asked = [*PROJECT["dependencies"], *(line for extra in extras for line in PROJECT["optional-dependencies"][extra])]
    for line in asked:
        wanted = Requirement(line)
        versions = locked.get(canonicalize_name(wanted.name))
        assert versions, f"{wanted.name} is not in requirements/{name}: run `make lock` and `make sbom`"
        assert any(wanted.specifier.contains(version) for version in versions), f"{line}: run `make lock`"


def test_what_is_tested_has_the_versions_that_are_served() -> None:
    tested = pins("test.lock")
    assert {name: versions for name, versions in pins("serve.lock").items() if tested.get(name) != versions} == {}


def test_the_list_of_parts_is_that_of_the_lock() -> None:
    document = json.loads((LOCKS / "sbom.cdx.json").read_text("utf-8"))
    assert (document["bomFormat"], document["specVersion"]) == ("CycloneDX", "1.6")
    listed: dict[str, set[str]] = {}
    for part in document["components"]:
        listed.setdefault(str(canonicalize_name(part["name"])), set()).add(part["version"])
    assert listed == pins("serve.lock"), "run `make sbom`"
    assert all(part["hashes"] for part in document["components"])
    assert "/simple" not in json.dumps(document)


def test_the_image_installs_the_lock() -> None:
    lines = (ROOT / "Dockerfile").read_text("utf-8")
    assert "--require-hashes -r requirements/serve.lock" in lines


def test_loading_a_bundle_runs_no_pickle(tmp_path: Path) -> None:
    """Python reports every class that an unpickler looks up: there is none while a bundle is loaded and asked."""
    write_bundle(tmp_path / "small")
    program = f"""
import sys
from pathlib import Path
from nlp_service.adapters.onnx import OnnxModel

def refuse(event, arguments):
    if event in ("pickle.find_class", "marshal.loads"):
        caller = sys._getframe(1).f_globals.get("__name__", "")
        if event == "pickle.find_class" or not caller.startswith(("importlib", "_frozen_importlib", "zipimport")):
            raise SystemExit(f"{{event}} {{arguments}}")

OnnxModel.load(Path({str(tmp_path / "small")!r}), sessions=1).warm_up()
sys.addaudithook(refuse)
model = OnnxModel.load(Path({str(tmp_path / "small")!r}), sessions=1)
model.warm_up()
print("loaded")
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "loaded"), done.stderr
