"""Real worker processes for acceptance tests, and events for them to deliver."""

from __future__ import annotations

import asyncio
import base64
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.bootstrap.delivery import Delivery, open_delivery
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
KEY = base64.b64encode(b"k" * 32).decode()


def environment(url: str, **settings: str) -> dict[str, str]:
    """Return what a worker process runs under: quick retries, loopback allowed."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {
        **kept,
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "NLP_SERVICE_DATABASE": url,
        "NLP_SERVICE_ENCRYPTION_KEY": KEY,
        "NLP_SERVICE_DELIVERY_NETWORKS": "127.0.0.0/8",
        "NLP_SERVICE_DELIVERY_TIMEOUT": "15",
        "NLP_SERVICE_DELIVERY_SCHEDULE": "0,0.5,1",
        "NLP_SERVICE_DELIVERY_REST": "0.5",
        "NLP_SERVICE_LOG_LEVEL": "error",
        **{f"NLP_SERVICE_{name}": value for name, value in settings.items()},
    }


def settings_of(variables: dict[str, str]) -> Settings:
    prefix = "NLP_SERVICE_"
    given: dict[str, Any] = {
        name.removeprefix(prefix).lower(): value for name, value in variables.items() if name.startswith(prefix)
    }
    return Settings(**given)


@contextmanager
def open_parts(variables: dict[str, str]) -> Iterator[tuple[Database, Delivery]]:
    """Open the same database as the worker processes."""
    settings = settings_of(variables)
    with Database.open(settings.database) as database:
        yield database, open_delivery(settings, database)


def start_worker(variables: dict[str, str]) -> subprocess.Popen[bytes]:
    """Return a worker process that has begun to deliver."""
    process = subprocess.Popen(
        [sys.executable, "-m", "nlp_service.cli.main", "worker"],
        cwd=ROOT,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    _await_start(process)
    return process


def _drain(stream: IO[bytes]) -> None:
    """Read a pipe to its end, so that the other side never blocks on it."""
    with stream:
        stream.read()


def _await_start(process: subprocess.Popen[bytes]) -> None:
    """Read what the process says until it says that it delivers."""
    assert process.stderr is not None
    said = b""
    for line in process.stderr:
        said += line
        if b"worker delivers" in line:
            threading.Thread(target=_drain, args=(process.stderr,), daemon=True).start()
            return
    raise AssertionError(f"the worker ended with {process.wait()}: {said.decode(errors='replace')}")


def stop(process: subprocess.Popen[bytes], signum: int = signal.SIGTERM) -> int:
    process.send_signal(signum)
    try:
        return process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


@contextmanager
def workers(variables: dict[str, str], count: int = 1) -> Iterator[Sequence[subprocess.Popen[bytes]]]:
    processes = [start_worker(variables) for _ in range(count)]
    try:
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                stop(process)


def subscribe(delivery: Delivery, name: str, url: str, channel: str = "webhook", **fields: Any) -> str:
    """Make a subscription and return the secret of its webhook."""
    target = Target(url=url, **fields)
    return delivery.subscribe.create(name=name, channel=channel, target=target, by="test").secret or ""


def happen(database: Database, number: int, theme: str, **fields: Any) -> ThemeEvent:
    """Let a theme event happen now."""
    now = datetime.now(UTC)
    event = replace(sample_event(f"evt_{number:05d}", at=now), theme_id=theme, **fields)
    database.transaction(lambda connection: enqueue(connection, event, at=now))
    return event


def _warm() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["nlp_service.bootstrap.delivery", "tests.workers"])
    return context


def _work(variables: dict[str, str]) -> None:
    with open_parts(variables) as (_, delivery):
        asyncio.run(delivery.work(asyncio.Event()))


@dataclass
class Killable:
    """A worker process that is forked from a warm one, so that killing it fifty times costs no fifty starts."""

    variables: dict[str, str]
    context: ForkServerContext = field(default_factory=_warm)
    process: BaseProcess | None = None

    def start(self) -> None:
        self.process = self.context.Process(target=_work, args=(self.variables,), daemon=True)
        self.process.start()

    def kill(self) -> None:
        """Kill without any chance to tidy up."""
        assert self.process is not None
        self.process.kill()
        self.process.join(30)
        assert self.process.exitcode == -signal.SIGKILL
