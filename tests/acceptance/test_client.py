"""The client against a served process, and its retries against a server that refuses at first."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from nlp_service.client import AsyncClient, Client, ServiceRefusedError, ServiceUnreachableError
from tests.acceptance.server import Served


def test_sync_client(served: Served) -> None:
    with Client(served.url) as client:
        assert client.classify("我要退货", id="cl-1")["id"] == "cl-1"
        answers = client.classify_many({"id": f"m-{i}", "text": f"怎么开发票{i}"} for i in range(300))
        assert [answer["id"] for answer in answers] == [f"m-{i}" for i in range(300)]


def test_async_client(served: Served) -> None:
    async def ask() -> list[str]:
        async with AsyncClient(served.url) as client:
            answers = await asyncio.gather(*(client.classify(f"第{i}个快递呢", id=f"a-{i}") for i in range(20)))
            return [answer["id"] for answer in answers]

    assert asyncio.run(ask()) == [f"a-{i}" for i in range(20)]


def test_a_problem_is_raised_at_once_with_its_detail(served: Served) -> None:
    with Client(served.url) as client, pytest.raises(ServiceRefusedError, match="text"):
        client.classify("")


@contextmanager
def refusing(times: int) -> Iterator[tuple[str, list[str]]]:
    """Serve a stand-in that answers 429 so often and then 200; yields its address and the ids that it saw."""
    seen: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append(body["id"])
            self.send_response(429 if len(seen) <= times else 200)
            content = json.dumps({"id": body["id"], "status": 429}).encode()
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Retry-After", "0")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}", seen
        finally:
            server.shutdown()
            thread.join()


def test_retries_keep_the_same_id() -> None:
    with refusing(3) as (url, seen), Client(url) as client:
        answer = client.classify("你好")
    assert len(seen) == 4
    assert set(seen) == {answer["id"]}


def test_gives_up_after_the_last_retry() -> None:
    with (
        refusing(99) as (url, seen),
        Client(url, retries=2) as client,
        pytest.raises(ServiceUnreachableError, match="429"),
    ):
        client.classify("你好")
    assert len(seen) == 3
