"""A served process with stored messages and themes, and a real Chromium that looks at it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which

import httpx
import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.migrations import migrate
from nlp_service.adapters.db.themes import Themes
from nlp_service.core.access import Scope
from nlp_service.core.themes.values import FixEffect, Interval, Theme
from tests.acceptance.web.seed import messages, send
from tests.bundles import write_bundle
from tests.examples import theme

ROOT = Path(__file__).parents[3]
AXE = ROOT / "tests" / "vendor" / "axe.min.js"
START_SECONDS = 180  # a loaded machine takes long to import everything
PATIENCE = 60_000  # milliseconds that a page may take on a loaded machine
SEEDED = 120


@dataclass
class Site:
    """A served process and the database behind it."""

    url: str
    database: str
    keys: dict[str, str] = field(default_factory=dict)

    def make_key(self, name: str, *scopes: Scope, departments: set[str] | None = None) -> str:
        with Database.open(self.database) as database:
            _, token = Keys(database).create(name=name, scopes=scopes, departments=departments, by="tests")
        return token


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    for name, version, seed, accuracy in (("small", "0.0.1", 0, 0.66), ("other", "0.0.2", 2, 0.71)):
        write_bundle(folder / name, version=version, seed=seed)
        _measured(folder / name / "manifest.json", accuracy)
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (folder / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    return folder


def _measured(path: Path, accuracy: float) -> None:
    """Write figures into a manifest, as training does."""
    manifest = json.loads(path.read_text(encoding="utf-8"))
    bins = [{"confidence": at / 10, "accuracy": at / 11, "n": 10 * at} for at in range(2, 10)]
    manifest["lineage"] = {"metrics": {"intent accuracy": accuracy}, "reliability": bins}
    path.write_text(json.dumps(manifest), encoding="utf-8")


@pytest.fixture(scope="session")
def serve(bundle_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Site]]:
    """Return a function that starts a process on a database of its own; all are stopped at the end."""
    running: list[subprocess.Popen[bytes]] = []

    def start(name: str, **given: str) -> Site:
        database = f"sqlite:///{tmp_path_factory.mktemp(name) / 'service.db'}"
        migrate(database)
        variables = {
            **os.environ,
            "NLP_SERVICE_MODELS": str(bundle_folder),
            "NLP_SERVICE_DATABASE": database,
            "NLP_SERVICE_SESSIONS": "1",
            "NLP_SERVICE_DELIVERY_NETWORKS": "127.0.0.1/32",
            "NLP_SERVICE_DELIVERY_SCHEDULE": "0",  # one attempt, then a delivery is dead
            "NLP_SERVICE_JOBS_FOLDER": str(tmp_path_factory.mktemp(f"{name}-jobs")),
            **given,
            "COLUMNS": "200",
        }
        command = [sys.executable, "-m", "nlp_service.cli.main", "serve", "--port", "0"]
        said = tmp_path_factory.mktemp(f"{name}-log") / "stderr.txt"
        with said.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(command, cwd=ROOT, env=variables, stderr=stream)
        running.append(process)
        url = _address(process, said)
        _wait(url)
        return Site(url=url, database=database)

    yield start
    for process in running:
        process.terminate()
        process.wait(30)


@pytest.fixture(scope="session")
def site(serve: Callable[..., Site]) -> Site:
    """Return a site without keys, so that this machine may do everything, with messages and three themes."""
    started = serve("open")
    send(started.url, messages(SEEDED, now=datetime.now(UTC)))
    with Database.open(started.database) as database:
        for entry in (theme("说明书看不懂", departments=("product_team",)), theme("退款一直不到账"), fixed()):
            Themes(database).add(entry, (), ())
    return started


def fixed() -> Theme:
    """Return a theme that was fixed, with the verdict of a later run."""
    ratio = Interval(value=0.31, low=0.2, high=0.47)
    effect = FixEffect(verdict="worked", ratio=ratio, days_before=28, days_after=14, because="31% of before")
    at = datetime.now(UTC) - timedelta(days=15)
    return replace(theme("安装师傅不守时"), state="fixed", fixed_at=at, fixed_what="预约改为短信确认", fix=effect)


@pytest.fixture(scope="session")
def locked(serve: Callable[..., Site]) -> Site:
    """Return a site that asks for a key."""
    started = serve("locked")
    started.keys["admin"] = started.make_key("admin", Scope.ADMIN)
    started.keys["viewer"] = started.make_key("viewer", Scope.READ, departments={"logistics"})
    return started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return Debian's Chromium; skips with the reason where there is none.

    One a module: while it is open an event loop runs in this process, and tests of other modules start their own.
    """
    path = which("chromium") or which("chromium-browser") or which("google-chrome")
    if path is None:
        pytest.skip("no Chromium to look with: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-background-networking", "--disable-gpu"]
        )
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page; the test fails where the console or the network showed an error."""
    faults: list[str] = []
    contexts = []

    def look(*, language: str = "en", width: int = 1440, scheme: str = "light") -> Page:
        locale = {"en": "en-GB", "zh": "zh-CN"}[language]
        context = browser.new_context(
            viewport={"width": width, "height": 900}, locale=locale, color_scheme=scheme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda message: _note(faults, message.type, message.text))
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: _check_local(faults, request.url))
        return page

    yield look
    for context in contexts:
        context.close()
    assert faults == []


def serious_faults(page: Page) -> list[str]:
    """Return axe-core's serious and critical findings as rule and element."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("async () => (await axe.run({resultTypes: ['violations']})).violations")
    return [
        f"{item['id']}: {node['target']} {node['failureSummary']}"
        for item in found
        if item["impact"] in {"serious", "critical"}
        for node in item["nodes"]
    ]


def _note(faults: list[str], kind: str, text: str) -> None:
    refused = "status of 40" in text or "status of 42" in text  # a test may ask for what is refused
    if kind in {"error", "warning"} and not refused:
        faults.append(f"{kind}: {text}")


def _check_local(faults: list[str], url: str) -> None:
    if not url.startswith(("http://127.0.0.1:", "data:", "blob:")):
        faults.append(f"asked for {url}")


def _address(process: subprocess.Popen[bytes], said: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := re.search(r"nlp-service on (http://\S+)", said.read_text(encoding="utf-8")):
            return found.group(1)
        time.sleep(0.1)
    raise AssertionError("no address: " + said.read_text(encoding="utf-8"))


def _wait(url: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            if httpx.get(f"{url}/readyz", timeout=10).is_success:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    raise AssertionError(f"{url} is not ready after {START_SECONDS} s")
