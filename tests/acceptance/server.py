"""A served process for acceptance tests: the real command, real HTTP, a database of its own."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60
_URL = re.compile(r"nlp-service on (http://\S+)")


def environment(**settings: str) -> dict[str, str]:
    """Return a scrubbed environment with the given NLP_SERVICE_ settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "200", **settings}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "nlp_service", *arguments]


@dataclass
class Served:
    process: subprocess.Popen[str]
    url: str
    client: httpx.Client
    log: list[str]
    database: str = ""

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(how)
        return self.process.wait(timeout=30)


@contextmanager
def serve(folder: Path, *arguments: str, **settings: str) -> Iterator[Served]:
    """Start `nlp-service serve` on a free port and wait until it is ready."""
    settings.setdefault("NLP_SERVICE_DATABASE", f"sqlite:///{folder / 'service.db'}")
    settings.setdefault("NLP_SERVICE_MODELS", str(ROOT / "models"))
    process = subprocess.Popen(
        command("serve", "--port", "0", *arguments),
        cwd=folder,
        env=environment(**settings),
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )
    log: list[str] = []
    url = ""
    assert process.stderr is not None
    for line in process.stderr:
        log.append(line)
        if found := _URL.search(line):
            url = found[1]
            break
    drain = threading.Thread(target=lambda: log.extend(process.stderr or []), daemon=True)
    drain.start()
    try:
        assert url, f"the service did not start: {''.join(log)}"
        with httpx.Client(base_url=url, timeout=60, transport=httpx.HTTPTransport(retries=0)) as client:
            _await_ready(client, process, log)
            yield Served(process=process, url=url, client=client, log=log, database=settings["NLP_SERVICE_DATABASE"])
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        drain.join(timeout=5)
        process.stderr.close()


def _await_ready(client: httpx.Client, process: subprocess.Popen[str], log: list[str]) -> None:
    # The socket listens before the model is warm, so that a request waits instead of being refused.
    assert process.poll() is None, "".join(log)
    assert client.get("/readyz", timeout=START_SECONDS).status_code == 200, "".join(log)
