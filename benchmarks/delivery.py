"""How many theme events a second a worker delivers, and how long an event takes to its receiver.

Run `python -m benchmarks.delivery`: one worker process, one endpoint on this machine that answers at once, SQLite
and, where it listens, PostgreSQL. Backlog: events queued before the worker starts. Steady: events that happen at a
fixed rate; the time runs from before the event is stored until the receiver has read it.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg

from nlp_service.adapters.db.migrations import migrate
from tests.postgres import listening
from tests.receivers import receive
from tests.workers import Killable, environment, happen, open_parts, subscribe

RESULT = Path(__file__).parent / "results" / "delivery.json"
THEMES = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1000, help="of the backlog")
    parser.add_argument("--rate", type=float, default=20.0, help="events a second of the steady run")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the steady run")
    parser.add_argument("--output", type=Path, default=RESULT)
    arguments = parser.parse_args()
    found: dict[str, Any] = {"cores": os.cpu_count(), "load_at_start": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        found["sqlite"] = measure(f"sqlite:///{folder}/bench.db", arguments)
    with scratch_postgres() as url:
        if url is not None:
            found["postgresql"] = measure(url, arguments)
    found["load_at_end"] = os.getloadavg()[0]
    arguments.output.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=2))


def measure(url: str, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return events a second of a backlog, and percentiles of the time to the receiver at a steady rate."""
    migrate(url)
    variables = environment(url)
    with receive() as receivers, open_parts(variables) as (database, delivery):
        subscribe(delivery, "backlog", f"{receivers.url}/backlog")
        for number in range(arguments.events):
            happen(database, number, f"thm_{number % THEMES}")
        worker = Killable(variables)
        worker.start()
        requests = receivers.wait_for("/backlog", arguments.events, seconds=600)
        span = max(request.at for request in requests) - min(request.at for request in requests)
        delivery.subscribe.remove("backlog", by="benchmark")
        subscribe(delivery, "steady", f"{receivers.url}/steady")
        began: dict[str, float] = {}
        count = int(arguments.rate * arguments.seconds)
        start = time.time()
        for number in range(count):
            time.sleep(max(0.0, start + number / arguments.rate - time.time()))
            now = time.time()
            event = happen(database, 10**6 + number, f"thm_{number % THEMES}")
            began[event.id] = now
        steady = receivers.wait_for("/steady", count, seconds=120)
        worker.kill()
    first: dict[str, float] = {}
    for request in steady:
        first.setdefault(request.document["data"]["id"], request.at)
    waits = np.array([at - began[key] for key, at in first.items()])
    return {
        "backlog_events": arguments.events,
        "backlog_events_per_second": round(arguments.events / span, 1),
        "steady_events": count,
        "steady_rate": arguments.rate,
        "seconds_to_receiver": {f"p{q}": round(float(np.percentile(waits, q)), 3) for q in (50, 95, 99)},
    }


@contextmanager
def scratch_postgres() -> Iterator[str | None]:
    """Return the URL of a database that is dropped at the end, None where no server listens."""
    server = listening()
    if server is None:
        yield None
        return
    name = f"bench_delivery_{os.getpid()}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield f"{server.rpartition('/')[0]}/{name}"
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


if __name__ == "__main__":
    main()
