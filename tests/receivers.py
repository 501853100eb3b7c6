"""Receivers of deliveries that behave well or badly: a real HTTP server in this process."""

from __future__ import annotations

import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    at: float  # time.time()
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def message_id(self) -> str:
        return self.headers["webhook-id"]


@dataclass
class Receivers:
    """Behaviour by path: /ok, /fail/500, /busy, /gone, /moved, /code, /hang, /cut, /drip, /once/<status>, …"""

    url: str
    requests: list[Received] = field(default_factory=list)
    scripted: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # "METHOD /path" -> answers in turn
    guard: threading.Lock = field(default_factory=threading.Lock)
    released: threading.Event = field(default_factory=threading.Event)
    doubled: set[str] = field(default_factory=set)  # ids that were under way twice at once
    under_way: set[str] = field(default_factory=set)

    def of(self, path: str) -> list[Received]:
        with self.guard:
            return [request for request in self.requests if request.path.partition("?")[0] == path]

    def wait_for(self, path: str, count: int, seconds: float = 60) -> list[Received]:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = self.of(path)
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{path} got {len(self.of(path))} of {count} requests in {seconds} s")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        receivers = self.server.receivers
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        if len(body) < length:  # the sender died in the middle: nothing was received
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        path = self.path.partition("?")[0]
        key = f"{path} {headers.get('webhook-id', '')}"
        with receivers.guard:
            if key in receivers.under_way:
                receivers.doubled.add(key)
            receivers.under_way.add(key)
            receivers.requests.append(Received(time.time(), self.path, headers, body))
            seen = sum(request.path == self.path for request in receivers.requests)
        try:
            self._behave(path, seen)
        finally:
            with receivers.guard:
                receivers.under_way.discard(key)

    do_GET = do_POST  # noqa: N815  # the name that http.server looks for

    def _behave(self, path: str, seen: int) -> None:
        receivers = self.server.receivers
        scripted = receivers.scripted.get(f"{self.command} {path}")
        if scripted:
            status, text = scripted.pop(0) if len(scripted) > 1 else scripted[0]
            self._answer(status, text)
        elif path.startswith("/fail/"):
            self._answer(int(path.rpartition("/")[2]), "it failed")
        elif path.startswith("/once/"):
            self._answer(int(path.rpartition("/")[2]) if seen == 1 else 200, "{}")
        else:
            self._misbehave(path, seen)

    def _misbehave(self, path: str, seen: int) -> None:
        receivers = self.server.receivers
        if path == "/busy":
            self._answer(429 if seen == 1 else 200, "", retry_after="2")
        elif path == "/moved":
            self._answer(302, "", location=f"{receivers.url}/ok")
        elif path == "/code":
            self._answer(200, '{"code": 19021, "msg": "sign match fail"}' if seen == 1 else '{"code": 0}')
        elif path == "/hang":
            receivers.released.wait(120)
        elif path == "/cut":
            self._cut()
        elif path == "/drip":
            self._drip()
        elif path == "/huge":
            self._answer(200, "x" * 5_000_000)
        else:
            self._answer(200, '{"code": 0, "errcode": 0}')

    def _answer(self, status: int, text: str, **headers: str) -> None:
        content = text.encode()
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
        except OSError:
            self.close_connection = True

    def _cut(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def _drip(self) -> None:
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
            while not self.server.receivers.released.wait(0.1):
                self.wfile.write(b"x")
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    receivers: Receivers

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a connection that we cut ourselves


@contextmanager
def receive() -> Iterator[Receivers]:
    """Serve on a free port of this machine."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.receivers = Receivers(url=f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.receivers
    finally:
        server.receivers.released.set()
        server.shutdown()
        server.server_close()
        thread.join(10)
