"""Several served processes on one PostgreSQL behind a round-robin balancer, and clients that never stop asking."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psycopg

from tests.workers import KEY, ROOT

_URL = re.compile(r"nlp-service on http://127\.0\.0\.1:(\d+)")
_READY_SECONDS = 240  # on a loaded machine


class Balancer:
    """Hands each connection to the next backend that takes it, as a TCP balancer with passive checks does."""

    def __init__(self) -> None:
        self.ports: list[int] = []
        self._turn = itertools.count()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._started = threading.Event()
        self.url = ""

    def __enter__(self) -> Balancer:
        self._thread.start()
        self._started.wait(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        server = await asyncio.start_server(self._hand_on, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._started.set()
        await self._stop.wait()
        server.close()

    async def _hand_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turn)
        for step in range(len(self.ports)):
            port = self.ports[(first + step) % len(self.ports)]
            try:
                to_reader, to_writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                continue
            await asyncio.gather(_copy(reader, to_writer), _copy(to_reader, writer))
            return
        writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
    with suppress(OSError):
        target.close()


@dataclass
class Replica:
    process: subprocess.Popen[str]
    port: int
    log: list[str]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(60)


@dataclass
class Fleet:
    """The replicas that run now."""

    database: str
    models: Path
    folder: Path
    balancer: Balancer
    replicas: list[Replica] = field(default_factory=list)
    _drains: list[threading.Thread] = field(default_factory=list)

    def start(self, count: int = 1) -> None:
        """Start replicas together and wait until each is ready."""
        made = [self._launch() for _ in range(count)]
        for replica in made:
            assert httpx.get(f"http://127.0.0.1:{replica.port}/readyz", timeout=_READY_SECONDS).status_code == 200
        self.replicas += made
        self.balancer.ports = [replica.port for replica in self.replicas]

    def kill(self) -> None:
        """Kill one without any chance to tidy up; the balancer finds out by itself."""
        self.replicas.pop(0).end(signal.SIGKILL)

    def stop(self) -> None:
        for replica in self.replicas:
            replica.process.terminate()
        for replica in self.replicas:
            try:
                replica.process.wait(60)
            except subprocess.TimeoutExpired:
                replica.process.kill()
                replica.process.wait()
        for drain in self._drains:
            drain.join(5)

    def _launch(self) -> Replica:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
        settings = {
            "DATABASE": self.database,
            "MODELS": str(self.models),
            "JOBS_FOLDER": str(self.folder / "jobs"),
            "ENCRYPTION_KEY": KEY,
            "DELIVERY_NETWORKS": "127.0.0.0/8",
            "DELIVERY_SCHEDULE": "0,0.5,1,2,4",
            "DELIVERY_REST": "0.5",
            "SESSIONS": "1",
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "nlp_service", "serve", "--port", "0"],
            cwd=self.folder,
            env={**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1"}
            | {f"NLP_SERVICE_{name}": value for name, value in settings.items()},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        log: list[str] = []
        for line in process.stderr:
            log.append(line)
            if found := _URL.search(line):
                drain = threading.Thread(target=_drain, args=(process.stderr, log), daemon=True)
                drain.start()
                self._drains.append(drain)
                return Replica(process=process, port=int(found[1]), log=log)
        raise AssertionError(f"a replica did not start: {''.join(log)[-2000:]}")


def _drain(stream: object, log: list[str]) -> None:
    with stream:  # type: ignore[attr-defined]
        log.extend(stream)  # type: ignore[arg-type]


@contextmanager
def fleet(database: str, models: Path, folder: Path, *, count: int) -> Iterator[Fleet]:
    with Balancer() as balancer:
        running = Fleet(database=database, models=models, folder=folder, balancer=balancer)
        try:
            running.start(count)
            yield running
        finally:
            running.stop()


@dataclass
class Load:
    """Clients that send messages through the balancer, each under an id of its own, and note what came back."""

    url: str
    answered: list[str] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    unclear: list[str] = field(default_factory=list)  # error answers that are no problem documents
    slowest: float = 0.0  # seconds
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def running(self, clients: int = 4, *, pause: float = 0.02) -> Iterator[Load]:
        threads = [threading.Thread(target=self._ask, args=(number, pause), daemon=True) for number in range(clients)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            for thread in threads:
                thread.join(90)

    def wait_for(self, more: int, seconds: float = 120) -> None:
        """Wait until so many further messages were answered: the service has recovered."""
        end, before = time.monotonic() + seconds, len(self.answered)
        while len(self.answered) < before + more:
            assert time.monotonic() < end, f"{len(self.answered) - before} of {more} answers in {seconds} s: {self}"
            time.sleep(0.05)

    def _ask(self, client: int, pause: float) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            key = f"load-{id(self)}-{client}-{number}"
            began = time.monotonic()
            try:  # a connection each, so that the balancer spreads them
                body = {"id": key, "text": f"快递 {number} 到了没", "customer_id": f"c-{client}"}
                response = httpx.post(f"{self.url}/classify", json=body, timeout=60)
            except httpx.HTTPError as exc:
                self.outcomes[type(exc).__name__] += 1
            else:
                self.outcomes[str(response.status_code)] += 1
                if response.status_code == 200:
                    self.answered.append(key)
                elif response.headers.get("content-type") != "application/problem+json":
                    self.unclear.append(response.text[:200])
            self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(pause)


def stored_ids(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("SELECT id FROM messages")}


@contextmanager
def no_connection_left(admin: str, role: str) -> Iterator[None]:
    """Cut every connection of a role and grant it no other, as a server does that has none left, until the block ends.

    It answers with the same code (53300) as when all of `max_connections` are taken, without a race for them.
    """
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"ALTER ROLE {role} CONNECTION LIMIT 0")  # type: ignore[call-overload]
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (role,))
        try:
            yield
        finally:
            connection.execute(f"ALTER ROLE {role} CONNECTION LIMIT -1")  # type: ignore[call-overload]


def wait_until(done: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"it did not come true within {seconds} s"
        time.sleep(0.1)
