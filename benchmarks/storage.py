"""How fast are messages stored, and what does storing cost the answer? Both databases, beside a transaction per save.

    python -m benchmarks.storage [--postgresql postgresql://…/an_empty_database] [--bundle models/…] [--seconds 5]

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
from nlp_service.adapters.onnx import OnnxModel
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
    """Let ``waiters`` tasks save for a while, once warm; returns saves a second, latencies and processor time."""
    for _ in range(20):
        key = f"m-{next(numbers)}"
        await asyncio.wrap_future(store.save([(message(key, TEXT), replace(EXAMPLE, message_id=key))]))
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
        "cpu_ms_per_save": round(1000 * used / len(latencies), 3),  # without the database server's
        "saves": len(latencies),
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


def answer_cost(bundle: Path, *, seconds: float) -> float:
    """Return the processor milliseconds that labelling one such message takes, in batches of 16."""
    model = OnnxModel.load(bundle, sessions=1)
    model.warm_up()
    segments = [(f"{TEXT}{i}", "") for i in range(16)]
    started, processor, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() < started + seconds:
        done += len(model.score(segments))
    return round(1000 * (time.process_time() - processor) / done, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--postgresql", help="URL of an empty database; without it SQLite alone is measured")
    parser.add_argument("--bundle", type=Path, help="model whose answer storing is compared with")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each line")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(f"sqlite:///{folder}/bench.db", seconds=arguments.seconds)
    if arguments.postgresql:
        rows += measure(arguments.postgresql, seconds=arguments.seconds)
    result: dict[str, Any] = {"cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), "rows": rows}
    if arguments.bundle:
        cost = answer_cost(arguments.bundle, seconds=arguments.seconds)
        result["answer_cpu_ms_per_message"] = cost
        for row in rows:
            row["share_of_answer"] = round(row["cpu_ms_per_save"] / cost, 3)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
