"""A thousand conversations at once for ten minutes with every flow on: no error but 429, memory flat, nothing lost.

CONVERSATIONS and MINUTES make it shorter; the result is kept under benchmarks/results. The accepted model is served.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import sqlite3
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.acceptance.server import ROOT, Served, serve
from tests.receivers import receive
from tests.workers import KEY

RESULT = ROOT / "benchmarks" / "results" / "conversations.json"
CONVERSATIONS = int(os.environ.get("CONVERSATIONS", "1000"))
MINUTES = float(os.environ.get("MINUTES", "10"))
PAUSE = (10.0, 30.0)  # seconds between two messages of a customer
SAYS = (
    "都催了三次了，{n}号快递到现在一动不动，你们到底管不管？",
    "说明书看不懂，{n}怎么装？",
    "APP一打开就闪退，第{n}次了",
    "退款什么时候到账啊，{n}",
    "谢谢，{n}收到了",
    "The parcel {n} never came, I want my money back.",
)

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3 * 3600)]


@dataclass
class Told:
    """What the conversations met with."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    flows: Counter[str] = field(default_factory=Counter)


def test_a_thousand_conversations_at_once(tmp_path: Path) -> None:
    with (
        receive() as receivers,
        serve(
            tmp_path,
            NLP_SERVICE_ENCRYPTION_KEY=KEY,
            NLP_SERVICE_DELIVERY_NETWORKS="127.0.0.0/8",
            NLP_SERVICE_KEEP_RAW_TEXT="true",
        ) as running,
    ):
        running.client.post(
            "/subscriptions",
            json={"name": "team", "channel": "webhook", "target": {"url": f"{receivers.url}/ok"},
                  "filter": {"kinds": ["new", "rising", "quiet", "renamed"]}},
        ).raise_for_status()  # fmt: skip
        told, memory = asyncio.run(_talk(running))
        stored = _stored(running)
        began = time.monotonic()
        ended = running.stop()
        stopping = time.monotonic() - began
        delivered = len(receivers.of("/ok"))
    seconds = sorted(told.seconds)
    result = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {len(os.sched_getaffinity(0))} cores",
        "conversations": CONVERSATIONS,
        "minutes": MINUTES,
        "statuses": dict(told.statuses),
        "answered": len(told.answered),
        "answered_but_not_stored": len(set(told.answered) - stored),
        "p50_ms": round(1000 * seconds[len(seconds) // 2], 1),
        "p99_ms": round(1000 * seconds[int(len(seconds) * 0.99)], 1),
        "flows": dict(told.flows),
        "delivered": delivered,
        "memory_mb": memory,
        "stopped_in_seconds": round(stopping, 2),
    }
    if MINUTES >= 10 and CONVERSATIONS >= 1000:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))  # noqa: T201
    assert set(told.statuses) <= {"200", "429"}, result
    assert result["answered_but_not_stored"] == 0
    assert ended in {0, -15}
    assert stopping < 10
    half = memory[len(memory) // 2 :]
    assert not half or max(half) < 1.2 * memory[len(memory) // 3] + 50, f"memory grows: {memory}"


async def _talk(running: Served) -> tuple[Told, list[int]]:
    """Let every customer talk until the time is over, and people use the service meanwhile."""
    told, memory = Told(), []
    end = time.monotonic() + MINUTES * 60
    limits = httpx.Limits(max_connections=CONVERSATIONS + 20, max_keepalive_connections=CONVERSATIONS + 20)
    async with httpx.AsyncClient(base_url=running.url, timeout=60, limits=limits) as client:
        people = asyncio.create_task(_use(client, told, end))
        watching = asyncio.create_task(_watch(running.process.pid, memory, end))
        await asyncio.gather(*(_customer(client, told, number, end) for number in range(CONVERSATIONS)))
        await asyncio.gather(people, watching)
    return told, memory


async def _customer(client: httpx.AsyncClient, told: Told, number: int, end: float) -> None:
    draw = random.Random(number)
    await asyncio.sleep(draw.uniform(0, min(PAUSE[1], MINUTES * 30)))
    before: list[str] = []
    for turn in range(10**6):
        if time.monotonic() >= end:
            return
        key = f"talk-{number}-{turn}"
        said = draw.choice(SAYS).format(n=draw.randrange(1000))
        body = {"id": key, "text": said, "context": before[-2:], "customer_id": f"c-{number}", "channel": "app"}
        began = time.monotonic()
        try:
            response = await client.post("/classify", json=body)
            told.statuses[str(response.status_code)] += 1
            if response.status_code == 200:
                told.answered.append(key)
        except httpx.HTTPError as exc:
            told.statuses[type(exc).__name__] += 1
        told.seconds.append(time.monotonic() - began)
        before.append(f"顾客: {said}")
        await asyncio.sleep(draw.uniform(*PAUSE))


async def _use(client: httpx.AsyncClient, told: Told, end: float) -> None:
    """Mine, look at pages and reports, export a customer: each now and then."""
    asked = (
        ("POST", "/themes/mine", {}), ("GET", "/themes", None), ("GET", "/ui/overview", None),
        ("GET", "/metrics", None),
        ("GET", "/themes/report", None), ("GET", "/customers/c-1", None), ("GET", "/deliveries", None),
        ("GET", "/jobs", None), ("GET", "/audit", None), ("GET", "/customers/c-2/export", None),
    )  # fmt: skip
    while time.monotonic() < end:
        for method, path, body in asked:
            await asyncio.sleep(1)
            response = await client.request(method, path, json=body)
            told.flows[f"{method} {path} {response.status_code}"] += 1
            if response.status_code >= 500:
                told.statuses[str(response.status_code)] += 1


async def _watch(pid: int, memory: list[int], end: float) -> None:
    """Note the resident megabytes of the server, some sixty times."""
    while time.monotonic() < end:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
        memory.append(pages * os.sysconf("SC_PAGE_SIZE") >> 20)
        await asyncio.sleep(max(0.5, MINUTES))


def _stored(running: Served) -> set[str]:
    path = running.database.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        found = {row[0] for row in connection.execute("SELECT id FROM messages")}
    connection.close()
    return found
