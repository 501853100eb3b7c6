"""How fast does the running service answer over HTTP, how soon is it ready, and what happens when it is flooded?

    python -m benchmarks.serving [--models models] [--corpora ../shared/corpora] [--seconds 10] [--workers 1]

Starts `nlp-service serve` on a free port with a fresh SQLite database and without the duplicate cache, so that every
message is computed and stored. The load generator runs beside it on the same cores.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from benchmarks.loader import closed_loop, open_loop, post
from benchmarks.sample import machine, real_messages, write_results
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.encode import SegmentTokenizer

MODELS = Path(__file__).parent.parent / "models"
HOST = "127.0.0.1"
SINGLES = (1, 16, 128, 1000)
BATCH = 64
RATE = 100.0  # single requests a second, of the latency target
NORMAL_AGAIN = 2.0  # times the latency before the flood


@dataclass(frozen=True, kw_only=True)
class Running:
    process: subprocess.Popen[bytes]
    port: int
    ready_seconds: float

    def resident_mb(self) -> float:
        """Resident memory of the process and its children."""
        total = 0.0
        for pid in (self.process.pid, *_children(self.process.pid)):
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
            found = re.search(r"VmRSS:\s+(\d+) kB", status)
            total += int(found.group(1)) / 1024 if found else 0.0
        return round(total, 1)

    def cpu_seconds(self) -> float:
        """Processor time that the process has used so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")  # utime, stime: fields 14 and 15

    def proportional_mb(self) -> float:
        """The same with pages that processes share counted once among them."""
        total = 0.0
        for pid in (self.process.pid, *_children(self.process.pid)):
            found = re.search(r"^Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text("utf-8"), re.MULTILINE)
            total += int(found.group(1)) / 1024 if found else 0.0
        return round(total, 1)

    def peak_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return round(int(found.group(1)) / 1024, 1) if found else 0.0


@contextmanager
def serve(
    models: Path, workers: int, *, database: str | None = None, variables: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Start the service, wait until it is ready, and stop it in the end; without a database on a fresh SQLite file."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nlp_service", "serve", "--port", "0", "--workers", str(workers)]
        command += ["--models", str(models.resolve()), "--database", database or f"sqlite:///{folder}/bench.db"]
        environment = os.environ | {"NLP_SERVICE_CACHE_ENTRIES": "0", "NLP_SERVICE_LOG_LEVEL": "warning"}
        environment |= variables or {}
        started = time.perf_counter()
        log = Path(folder) / "serve.log"
        with log.open("w", encoding="utf-8") as stream:
            process = subprocess.Popen(command, stderr=stream, env=environment)
        try:
            port = _announced_port(log, process)
            _wait_ready(port, process)
            yield Running(process=process, port=port, ready_seconds=round(time.perf_counter() - started, 2))
        finally:
            process.terminate()
            process.wait(30)


def _announced_port(log: Path, process: subprocess.Popen[bytes]) -> int:
    while process.poll() is None:
        found = re.search(r"http://[^:]+:(\d+)", log.read_text(encoding="utf-8"))
        if found:
            return int(found.group(1))
        time.sleep(0.02)
    sys.exit(f"the service did not start: {log.read_text(encoding='utf-8')}")


def _wait_ready(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/readyz", timeout=120) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    sys.exit(f"the service stopped with {process.returncode}")


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()
    return [int(child) for child in listed]


async def scenarios(running: Running, texts: dict[str, list[str]], seconds: float) -> dict[str, Any]:
    """Run every load in turn on mixed short and medium messages; returns figures by load."""
    mixed = [text for pair in zip(texts["short"], texts["medium"], strict=False) for text in pair]
    singles = [post(orjson.dumps({"text": text})) for text in mixed]
    batches = [
        post(orjson.dumps({"messages": [{"text": text} for text in mixed[start : start + BATCH]]}))
        for start in range(0, len(mixed) - BATCH + 1, BATCH)
    ]
    port = running.port
    results: dict[str, Any] = {}

    def show(name: str, figures: dict[str, Any]) -> None:
        results[name] = figures | {"resident_mb": running.resident_mb()}
        print(f"{name:44s}{results[name]}")

    await closed_loop(HOST, port, singles, connections=16, seconds=min(3.0, seconds))  # warm up
    for connections in SINGLES:
        outcome = await closed_loop(HOST, port, singles, connections=connections, seconds=seconds)
        show(f"single messages, {connections} connections", outcome.summary())
    outcome = await closed_loop(HOST, port, batches, connections=4, seconds=seconds)
    show(f"batches of {BATCH}, 4 connections", outcome.summary(messages_per_request=BATCH))
    outcome = await open_loop(HOST, port, singles, rate=RATE, connections=256, seconds=seconds)
    show(f"single messages, {RATE:.0f} a second", outcome.summary())
    sustainable = results["single messages, 128 connections"]["messages_per_second"]
    normal = results["single messages, 1 connections"].get("p50_ms", 100.0)
    outcome = await open_loop(HOST, port, singles, rate=3 * sustainable, connections=1000, seconds=seconds)
    again = await _seconds_until_normal(port, singles, normal)
    show("flood: 3 times that, 1000 connections", outcome.summary() | {"normal_again_after_s": again})
    results["peak_mb"] = running.peak_mb()
    return results


async def _seconds_until_normal(port: int, singles: list[bytes], normal_ms: float) -> float:
    started = time.perf_counter()
    while time.perf_counter() - started < 60:
        outcome = await closed_loop(HOST, port, singles, connections=1, seconds=0.2)
        if (
            outcome.latencies
            and 1000 * sorted(outcome.latencies)[len(outcome.latencies) // 2] <= NORMAL_AGAIN * normal_ms
        ):
            break
    return round(time.perf_counter() - started, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each load")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--name", default="serving", help="of the result file")
    arguments = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    tokenizer = SegmentTokenizer.load(read_accepted(arguments.models) / "tokenizer.json")
    texts = real_messages(arguments.corpora, tokenizer)
    before = machine()
    with serve(arguments.models, arguments.workers) as running:
        start = {"ready_seconds": running.ready_seconds, "resident_mb": running.resident_mb()}
        start["proportional_mb"] = running.proportional_mb()
        print(
            "ready in {ready_seconds} s with {resident_mb} MB, shared pages once: {proportional_mb} MB".format(**start)
        )
        loads = asyncio.run(scenarios(running, texts, arguments.seconds))
    results = {"machine": before, "workers": arguments.workers, "start": start, "loads": loads}
    print(f"written to {write_results(arguments.name, results)}")


if __name__ == "__main__":
    main()
