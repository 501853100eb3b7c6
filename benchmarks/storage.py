"""How fast are messages stored, and what does storing cost the answer? Both databases, beside a transaction per save.

    python -m benchmarks.storage [--postgresql postgresql://…/an_empty_database] [--seconds 5]

Each waiter saves one message with its labelling, waits for the commit, and saves the next: what concurrent requests
to POST /classify do. The peer does the same inserts with a pooled connection and a transaction of its own per save.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event

from nlp_service.adapters.db import engines
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.migrations import migrate
from tests.examples import labelling, message

RESULTS = Path(__file__).parent / "results" / "storage.json"
WAITERS = (1, 16, 128)
TEXT = "你们的说明书写得太乱了，装了一个小时还是装不上，打电话也没人接，能不能快点处理一下？"
EXAMPLE = labelling("x", text=TEXT, size=384)


class OwnTransactions:
    """The peer, with the part of Database's interface that saving needs."""

    def __init__(self, url: str) -> None:
        self._engine = _pooled(url)
        self._threads = ThreadPoolExecutor(16)
        self.dialect = self._engine.dialect.name

    def write(self, function: Callable[[Connection], Any]) -> Future[Any]:
        return self._threads.submit(self._commit, function)

    def close(self) -> None:
        self._threads.shutdown()
        self._engine.dispose()

    def _commit(self, function: Callable[[Connection], Any]) -> Any:
        with self._engine.begin() as connection:
            return function(connection)


def _pooled(url: str) -> Engine:
    parsed = engines.parse(url)
    if not url.startswith("sqlite"):
        return create_engine(parsed, pool_size=16)
    engine = create_engine(parsed, pool_size=16, connect_args={"timeout": 60, "check_same_thread": False})

    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    event.listen(engine, "connect", configure)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    return engine


async def saves(store: Messages, *, waiters: int, seconds: float, numbers: Iterator[int]) -> dict[str, float]:
    """Let ``waiters`` tasks save for a while; returns saves a second, latencies and processor time."""
    latencies: list[float] = []
    started, processor = time.perf_counter(), time.process_time()

    async def save_on() -> None:
        while (start := time.perf_counter()) < started + seconds:
            key = f"m-{next(numbers)}"
            future = store.save([(message(key, TEXT, customer_id=key[-5:]), replace(EXAMPLE, message_id=key))])
            await asyncio.wrap_future(future)
            latencies.append(time.perf_counter() - start)

    await asyncio.gather(*(save_on() for _ in range(waiters)))
    elapsed, used = time.perf_counter() - started, time.process_time() - processor
    return {
        "waiters": waiters,
        "saves_per_second": round(len(latencies) / elapsed),
        "p50_ms": round(1000 * statistics.median(latencies), 2),
        "p99_ms": round(1000 * statistics.quantiles(latencies, n=100)[98], 2),
        "own_cpu_ms_per_save": round(1000 * used / len(latencies), 3),
    }


def measure(url: str, *, seconds: float) -> list[dict[str, Any]]:
    migrate(url)
    kind = engines.parse(url).get_backend_name()
    numbers = count(int(time.time()) * 1_000_000)
    rows = []
    for name, kind_of in (("group commit", Database.open), ("own transaction", OwnTransactions)):
        opened: Any = kind_of(url)
        store = Messages(opened, mask=lambda text: text)
        for waiters in WAITERS:
            figures = asyncio.run(saves(store, waiters=waiters, seconds=seconds, numbers=numbers))
            rows.append({"database": kind, "writer": name, **figures})
            print(json.dumps(rows[-1]), flush=True)
        opened.close()
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--postgresql", help="URL of an empty database; without it SQLite alone is measured")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(f"sqlite:///{folder}/bench.db", seconds=arguments.seconds)
    if arguments.postgresql:
        rows += measure(arguments.postgresql, seconds=arguments.seconds)
    RESULTS.parent.mkdir(exist_ok=True)
    load = round(os.getloadavg()[0], 1)
    RESULTS.write_text(json.dumps({"cores": os.cpu_count(), "load": load, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
