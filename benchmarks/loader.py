"""A small HTTP load generator on asyncio streams: kept connections, closed or open loop, every answer counted."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

CLASSIFY = "/classify"


@dataclass
class Outcome:
    """What came back. Latencies are of answers with status 200, in seconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)  # connections refused, reset or cut
    without_retry_after: int = 0  # 429 answers that do not say when to come back
    stages: dict[str, float] = field(default_factory=dict)  # milliseconds by stage of Server-Timing, summed
    seconds: float = 0.0

    def summary(self, *, messages_per_request: int = 1) -> dict[str, Any]:
        answered = self.statuses[200]
        result: dict[str, Any] = {
            "messages_per_second": round(answered * messages_per_request / max(self.seconds, 1e-9), 1),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "failures": dict(self.failures),
        }
        if len(self.latencies) > 1:
            cuts = statistics.quantiles(self.latencies, n=100)
            result |= {f"p{q}_ms": round(1000 * cuts[q - 1], 1) for q in (50, 95, 99)}
        if self.without_retry_after:
            result["429_without_retry_after"] = self.without_retry_after
        if answered:
            result["stage_ms"] = {stage: round(total / answered, 2) for stage, total in self.stages.items()}
        return result


class Connection:
    """One kept HTTP/1.1 connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes, outcome: Outcome, *, since: float | None = None) -> None:
        """Send a request, read the answer and count it; ``since`` is when it was due."""
        started = time.perf_counter() if since is None else since
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(self._host, self._port)
            reader, writer = self._streams
            writer.write(request)
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            status = int(head.split(" ", 2)[1])
            headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            await reader.readexactly(int(headers.get("content-length", 0)))
        except (OSError, asyncio.IncompleteReadError) as exc:
            outcome.failures[type(exc).__name__] += 1
            self.close()
            return
        outcome.statuses[status] += 1
        if status == 200:
            outcome.latencies.append(time.perf_counter() - started)
            for part in headers.get("server-timing", "").split(", "):
                stage, _, milliseconds = part.partition(";dur=")
                outcome.stages[stage] = outcome.stages.get(stage, 0.0) + float(milliseconds or 0)
        elif status == 429 and "retry-after" not in headers:
            outcome.without_retry_after += 1
        if headers.get("connection") == "close":
            self.close()

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def post(body: bytes) -> bytes:
    """Return the bytes of one POST /classify."""
    head = f"POST {CLASSIFY} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def closed_loop(host: str, port: int, requests: list[bytes], *, connections: int, seconds: float) -> Outcome:
    """Let each connection send its next request as soon as it has its answer."""
    outcome, source = Outcome(), cycle(requests)
    started = time.perf_counter()

    async def one() -> None:
        connection = Connection(host, port)
        while time.perf_counter() - started < seconds:
            await connection.ask(next(source), outcome)
        connection.close()

    await asyncio.gather(*[one() for _ in range(connections)])
    outcome.seconds = time.perf_counter() - started
    return outcome


async def open_loop(
    host: str, port: int, requests: list[bytes], *, rate: float, connections: int, seconds: float
) -> Outcome:
    """Send ``rate`` requests a second whatever comes back; latency counts from when a request was due."""
    outcome = Outcome()
    due = _schedule(requests, rate, seconds)
    started = time.perf_counter()

    async def one() -> None:
        connection = Connection(host, port)
        for offset, request in due:
            await asyncio.sleep(max(0.0, started + offset - time.perf_counter()))
            await connection.ask(request, outcome, since=started + offset)
            if time.perf_counter() - started > seconds + 10:
                break  # what could not be sent in time is not sent at all
        connection.close()

    await asyncio.gather(*[one() for _ in range(connections)])
    outcome.seconds = max(seconds, time.perf_counter() - started)
    return outcome


def _schedule(requests: list[bytes], rate: float, seconds: float) -> Iterator[tuple[float, bytes]]:
    source = cycle(requests)
    return ((number / rate, next(source)) for number in range(int(rate * seconds)))
