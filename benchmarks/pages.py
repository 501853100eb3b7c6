"""How long does each page of the web take when a million labellings are stored?

    python -m benchmarks.pages [--count 1000000] [--models models] [--postgresql URL of a server to make a database on]

Fills a SQLite file and, where a server can be reached, a PostgreSQL database of its own, starts the service on it and
asks for every page one after another, each as often as told, as an administrator and as a viewer of one department.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.filled import fill
from benchmarks.sample import machine, write_results
from benchmarks.serving import HOST, MODELS, Running, serve
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.migrations import migrate
from nlp_service.bootstrap.delivery import open_delivery
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.taxonomy import load_taxonomy
from nlp_service.core.access import Scope
from nlp_service.settings import Settings
from tests.postgres import listening

TARGET_MS = 300
KEY = base64.b64encode(b"pages benchmark, not a secret...").decode()
COOKIE = "nlp_session"
PAGES = (
    "/ui/overview", "/ui/overview?days=7", "/ui/overview?days=90", "/ui/overview?days=90&department=logistics",
    "/ui/themes", "/ui/themes?state=fixed", "/ui/themes/{theme}", "/ui/try", "/ui/review", "/ui/models", "/ui/policy",
    "/ui/subscriptions", "/ui/subscriptions/new", "/ui/deliveries", "/ui/deliveries?state=open",
    "/ui/deliveries/{delivery}", "/ui/jobs", "/ui/jobs/{job}", "/ui/sign-in",
)  # fmt: skip
VIEWER_PAGES = ("/", "/ui/overview", "/ui/overview?days=90", "/ui/themes")


def ask(port: int, path: str, token: str) -> tuple[int, bytes, float]:
    """Return status, body and milliseconds of one request; a redirect is followed, as a browser would."""
    started = time.perf_counter()
    for _ in range(3):
        connection = http.client.HTTPConnection(HOST, port, timeout=60)
        connection.request("GET", path, headers={"Cookie": f"{COOKIE}={token}", "Accept": "text/html"})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 303:
            break
        path = answer.headers["Location"]
    return answer.status, body, 1000 * (time.perf_counter() - started)


def timed(running: Running, path: str, token: str, repeats: int) -> dict[str, Any]:
    """Return median, 95th percentile and the first, cold, time of a page, and the processor time that it costs."""
    status, _, first = ask(running.port, path, token)
    if status != 200:
        return {"status": status}
    before = running.cpu_seconds()
    times = sorted(ask(running.port, path, token)[2] for _ in range(repeats))
    used = running.cpu_seconds() - before  # of the service; a loaded machine does not distort it
    return {
        "cpu_ms": round(1000 * used / repeats, 1),
        "median_ms": round(statistics.median(times), 1),
        "p95_ms": round(times[int(0.95 * (len(times) - 1))], 1),
        "first_ms": round(first, 1),
    }


def addresses(port: int, token: str) -> dict[str, str]:
    """Return the first theme, delivery and job that the pages list."""
    found = {}
    for name, pattern in (("theme", r"/ui/themes/(thm_\w+)"), ("delivery", r"/ui/deliveries/(dlv_\w+)"),
                          ("job", r"/ui/jobs/([\w-]{8,})")):  # fmt: skip
        folder = {"theme": "themes", "delivery": "deliveries", "job": "jobs"}[name]
        match = re.search(pattern, ask(port, f"/ui/{folder}", token)[1].decode())
        found[name] = match.group(1) if match else "none"
    return found


def measure(url: str, models: Path, *, count: int, repeats: int) -> dict[str, Any]:
    """Fill a database, serve it and time every page; returns figures by page."""
    migrate(url)
    taxonomy = load_taxonomy(read_accepted(models) / "taxonomy.yaml")
    variables = {"NLP_SERVICE_ENCRYPTION_KEY": KEY, "NLP_SERVICE_DELIVERY": "false"}
    started = time.perf_counter()
    with Database.open(url) as database:
        delivery = open_delivery(Settings(database=url, encryption_key=KEY), database)
        fill(database, taxonomy, count=count, subscribe=delivery.subscribe)
        _, admin = Keys(database).create(name="admin", scopes=[Scope.ADMIN], departments=None, by="benchmark")
        scopes = [Scope.READ, Scope.THEMES_READ]
        _, viewer = Keys(database).create(name="viewer", scopes=scopes, departments={"logistics"}, by="benchmark")
    print(f"{url.partition(':')[0]}: {count} labellings stored in {time.perf_counter() - started:.0f} s", flush=True)
    found: dict[str, Any] = {}
    with serve(models, 1, database=url, variables=variables) as running:
        known = addresses(running.port, admin)
        for who, token, paths in (("", admin, PAGES), ("viewer ", viewer, VIEWER_PAGES)):
            for path in paths:
                found[who + path] = timed(running, path.format(**known), token, repeats)
                print(f"{who + path:50s}{found[who + path]}", flush=True)
    return found


@contextmanager
def postgresql(server: str) -> Iterator[str]:
    """Make a database for as long as the block lasts."""
    name = f"nlp_service_pages_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[call-overload]
        try:
            yield f"{server.rpartition('/')[0]}/{name}"
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")  # type: ignore[call-overload]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--postgresql", default=listening(), help="a server; by default the one that listens here")
    parser.add_argument("--name", default="pages", help="of the result file")
    given = parser.parse_args()
    results: dict[str, Any] = {"machine": machine(), "labellings": given.count, "target_ms": TARGET_MS}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/pages.db"
        results["sqlite"] = measure(url, given.models, count=given.count, repeats=given.repeats)
    if given.postgresql:
        with postgresql(given.postgresql) as url:
            results["postgresql"] = measure(url, given.models, count=given.count, repeats=given.repeats)
    print(f"written to {write_results(given.name, results)}")


if __name__ == "__main__":
    main()
