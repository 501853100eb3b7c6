"""Traces: one span a request over the caller's, with stages, and nothing that a customer said or is called."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.openapi_fuzz import small_service

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


class Collector(BaseHTTPRequestHandler):
    """An OTLP/HTTP collector that keeps what it gets."""

    got: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    kept: list[tuple[str, bytes]] = []
    handler = type("Handler", (Collector,), {"got": kept})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1/traces", kept
        server.shutdown()
        thread.join()


def test_a_request_is_one_span_without_personal_data(
    tmp_path: Path, collector: tuple[str, list[tuple[str, bytes]]]
) -> None:
    address, got = collector
    with small_service(tmp_path, traces_endpoint=address) as client:
        body = {"id": "hub-secret-1", "text": "我住在樱花路七号", "customer_id": "c-wang"}
        headers = {"traceparent": PARENT, "X-Request-Id": "traced-1"}
        client.post("/classify", json=body, headers=headers).raise_for_status()
        client.get("/customers/c-wang?department=logistics").raise_for_status()
    assert {path for path, _ in got} == {"/v1/traces"}
    sent = b"".join(body for _, body in got)
    for wanted in (b"POST /classify", b"/customers/{customer_id}", b"nlp.stage.infer_ms", b"traced-1", b"nlp-service"):
        assert wanted in sent
    assert bytes.fromhex("0af7651916cd43dd8448eb211c80319c") in sent  # the caller's trace goes on
    for private in ("樱花路", "c-wang", "hub-secret-1"):
        assert private.encode() not in sent


def test_a_collector_that_is_away_is_not_felt(tmp_path: Path) -> None:
    with small_service(tmp_path, traces_endpoint="http://127.0.0.1:1/v1/traces") as client:
        assert client.post("/classify", json={"text": "好"}).status_code == 200


def test_traces_are_off_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")  # no library switches them on by itself
    with small_service(tmp_path) as client:
        assert client.app.state.service.traces is None  # type: ignore[attr-defined]
        assert client.get("/healthz").status_code == 200
