"""Write NOTICE.md: what the service stands on at run time, with licences, from the installed packages' own metadata.

python docs/reference/notices.py            writes NOTICE.md at the top of the repository
python docs/reference/notices.py --check    says which installed package it does not name, or names with another licence
"""

from __future__ import annotations

import argparse
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / "NOTICE.md"
ROW = re.compile(r"^\| \[?(?P<name>[a-z0-9-]+)\]?(\([^)]*\))? \| (?P<licence>[^|]+) \|$", re.MULTILINE)
HEAD = """# Third-party notices

nlp-service is Apache-2.0 ([LICENSE](LICENSE)). At run time it stands on the packages below; each is installed by
itself and carries its licence text in its own `.dist-info` folder. Made by `docs/reference/notices.py` from their
metadata.

Part of this repository itself:

| what | licence |
|---|---|
| `htmx.org` and `echarts` in `nlp_service/web/dashboard/static` | BSD Zero Clause; Apache-2.0; texts beside the files |
| encoder weights that the model bundles were trained from (`intfloat/multilingual-e5-small`) | MIT |

The model bundles were trained on the public sets that each model card names with their licences as stated. `psycopg`
(LGPL-3.0) is used unchanged as a library.

| package | licence |
|---|---|
"""


@dataclass(frozen=True)
class Package:
    name: str
    licence: str
    home: str

    @property
    def row(self) -> str:
        shown = f"[{self.name}]({self.home})" if self.home else self.name
        return f"| {shown} | {self.licence} |"


def installed(requirements: list[str]) -> list[Package]:
    """Return the packages that the requirements bring in here, themselves included, by name."""
    todo = [Requirement(text) for text in requirements]
    extras: dict[str, set[str]] = {}
    found: dict[str, Package] = {}
    while todo:
        wanted = todo.pop()
        name = canonicalize_name(wanted.name)
        if name in found and wanted.extras <= extras[name]:
            continue
        try:
            known = distribution(wanted.name)
        except PackageNotFoundError:
            continue  # of another platform
        extras.setdefault(name, set()).update(wanted.extras)
        found[name] = Package(name, _licence(known), _home(known))
        for text in known.requires or []:
            further = Requirement(text)
            asked = {"", *extras[name]}
            if further.marker is None or any(further.marker.evaluate({"extra": extra}) for extra in asked):
                todo.append(further)
    return sorted(found.values(), key=lambda package: package.name)


def _licence(known: Distribution) -> str:
    meta = known.metadata
    if expression := meta.get("License-Expression"):
        return str(expression)
    named = (meta.get("License") or "").strip()
    if named and len(named) <= 60 and "\n" not in named:
        return named
    classified = [
        line.split("::")[-1].strip() for line in meta.get_all("Classifier") or [] if line.startswith("License")
    ]
    return " and ".join(classified) or "not stated"


def _home(known: Distribution) -> str:
    links = dict(entry.split(", ", 1) for entry in known.metadata.get_all("Project-URL") or [] if ", " in entry)
    by_name = {name.lower(): link for name, link in links.items()}
    for name in ("source", "source code", "repository", "homepage", "home"):
        if name in by_name:
            return by_name[name]
    return str(known.metadata.get("Home-page") or next(iter(links.values()), ""))


def requirements() -> list[str]:
    with (ROOT / "pyproject.toml").open("rb") as stream:
        asked: list[str] = tomllib.load(stream)["project"]["dependencies"]
    return asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    packages = installed(requirements())
    if not check:
        TARGET.write_text(HEAD + "\n".join(package.row for package in packages) + "\n", encoding="utf-8")
        return
    named = {found["name"]: found["licence"].strip() for found in ROW.finditer(TARGET.read_text(encoding="utf-8"))}
    wrong = [package.row for package in packages if named.get(package.name) != package.licence]
    if wrong:
        sys.exit(f"{TARGET} lacks:\n" + "\n".join(wrong) + "\nrun python docs/reference/notices.py")


if __name__ == "__main__":
    main()
