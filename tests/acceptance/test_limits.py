"""What the edge refuses: too many requests, too large a body, other sites, other names; and what it always says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.server import Served, serve
from tests.acceptance.test_access import bearer, make_key

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def open_here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service without keys, as `make serve` starts it."""
    with serve(tmp_path_factory.mktemp("open"), NLP_SERVICE_UPLOAD_MB="18") as running:
        yield running


def chunks(size: int) -> Iterator[bytes]:
    """A body whose length is not announced."""
    yield b'{"policy": "'
    for _ in range(size // 65536):
        yield b"x" * 65536


def test_a_key_may_ask_so_often_and_is_told_when_to_come_back(tmp_path: Path) -> None:
    slow = make_key(tmp_path, "--name", "slow", "--scope", "models", "--rate", "1")
    common = make_key(tmp_path, "--name", "common", "--scope", "models")
    with serve(tmp_path, NLP_SERVICE_RATE_PER_MINUTE="2") as running:

        def ask(key: str) -> httpx.Response:
            return running.client.get("/models", headers=bearer(key))

        answers = [ask(slow) for _ in range(3)]  # far within the minute, also on a loaded machine
        assert [answer.status_code for answer in answers] == [200, 429, 429]
        assert 1 <= int(answers[-1].headers["Retry-After"]) <= 60
        assert "1 requests a minute" in answers[-1].json()["detail"]
        assert [ask(common).status_code for _ in range(2)] == [200, 429]


@pytest.mark.parametrize("path", ["/policy/preview", "/classify", "/themes/mine"])
def test_a_body_of_unknown_length_is_cut_at_the_limit(open_here: Served, path: str) -> None:
    headers = {"Content-Type": "application/json"}
    response = open_here.client.post(path, content=chunks(17 * MEGABYTE), headers=headers)
    assert response.status_code == 413
    assert response.headers["content-type"] == "application/problem+json"


def test_the_limit_of_uploads_holds_for_uploads_alone(open_here: Served) -> None:
    def upload(path: str, size: int) -> int:
        return open_here.client.post(path, files={"file": ("a.csv", b"t\n" + b"x" * size)}).status_code

    assert upload("/classify", 17 * MEGABYTE) == 413  # calling it a form opens nothing
    assert upload("/relabel-jobs/upload", 17 * MEGABYTE) == 202
    assert upload("/relabel-jobs/upload", 19 * MEGABYTE) == 413


def test_no_other_site_may_read_or_change(open_here: Served) -> None:
    foreign = {"Origin": "https://evil.example"}
    asked = {**foreign, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for response in (
        open_here.client.options("/classify", headers=asked),
        open_here.client.get("/models", headers=foreign),
        open_here.client.post("/classify", json={"text": "好"}, headers=foreign),
        open_here.client.post("/classify", json={"text": "好"}, headers={"Sec-Fetch-Site": "cross-site"}),
    ):
        assert not [name for name in response.headers if name.startswith("access-control-")]
        assert response.status_code in {200, 403, 405}
    assert response.status_code == 403
    assert open_here.client.post("/classify", json={"text": "好"}, headers=foreign).status_code == 403


@pytest.mark.parametrize("path", ["/models", "/ui/overview"])
def test_without_a_key_it_answers_to_the_names_of_this_machine_alone(open_here: Served, path: str) -> None:
    port = open_here.url.rsplit(":", 1)[1]
    for host, status in {
        f"127.0.0.1:{port}": 200,
        f"localhost:{port}": 200,
        f"[::1]:{port}": 200,
        "rebound.example": 403,
        "127.0.0.1.evil.example": 403,
    }.items():
        assert open_here.client.get(path, headers={"Host": host}).status_code == status, host
    assert open_here.client.get("/healthz", headers={"Host": "rebound.example"}).status_code == 200


@pytest.mark.parametrize(
    "path", ["/models", "/nothing", "/ui/overview", "/healthz", "/static/app.css", "/openapi.json"]
)
def test_every_answer_carries_the_security_headers(open_here: Served, path: str) -> None:
    headers = open_here.client.get(path).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]  # nothing wider than the default
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["X-Request-Id"]
    assert "server" not in headers
    kept = headers["Cache-Control"]
    assert ("immutable" in kept) if path.startswith("/static") else kept == "no-store"
