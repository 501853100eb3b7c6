"""Requests made from the OpenAPI document, valid and not, against the running application."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis import GenerationMode

from nlp_service.settings import Settings
from nlp_service.web.app import create_app
from tests.bundles import write_bundle

_KEYS = {"authorization", "x-api-key"}


@contextmanager
def small_service(folder: Path, **given: Any) -> Iterator[TestClient]:
    """Open the application on a small bundle and a database of its own, without a key."""
    write_bundle(folder / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (folder / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    key = base64.b64encode(b"k" * 32).decode()
    given = {"database": f"sqlite:///{folder / 'service.db'}", "encryption_key": key, "delivery": False} | given
    opened = Settings(models=folder / "models", jobs_folder=folder / "jobs", **given)
    app = create_app(opened)
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False, raise_server_exceptions=False) as client:
        yield client


def fuzz(client: TestClient, *, examples: int, number: int = 0) -> tuple[int, list[str]]:
    """Send ``examples`` requests to each operation; returns how many were sent, and what was wrong."""
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
    sent, wrong = 0, []
    for result in schema.get_all_operations():
        operation = result.ok()

        @seed(number)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            nonlocal sent
            sent += 1
            response = _send(client, case)
            fault = _fault(response)
            if fault:
                wrong.append(f"{case.method} {response.request.url}: {fault}; {response.text[:200]}")

        ask()
    return sent, wrong


def _send(client: TestClient, case: Any) -> httpx.Response:
    sent = case.as_transport_kwargs(base_url="http://127.0.0.1")
    known = {name: sent[name] for name in ("params", "json", "data", "files", "headers", "cookies") if sent.get(name)}
    # Without made-up keys: half of the requests would otherwise end at the door.
    headers = dict(known.get("headers", {})).items()
    known["headers"] = {name: value for name, value in headers if value is not None and name.lower() not in _KEYS}
    if isinstance(known.get("data"), bytes | str):
        known["content"] = known.pop("data")
    client.cookies.clear()
    return client.request(sent["method"], sent["url"], **known)


def _fault(response: httpx.Response) -> str | None:
    if response.status_code >= 500 and response.status_code != 503:
        return f"{response.status_code}"
    is_problem = response.headers.get("content-type", "") == "application/problem+json"
    is_page = response.headers.get("content-type", "").startswith("text/html")
    if response.status_code >= 400 and not is_problem and not is_page:
        return f"{response.status_code} is no problem document"
    return None
