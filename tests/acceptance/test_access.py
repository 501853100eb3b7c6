"""Keys, scopes and departments over HTTP."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.routing import RouteContext, iter_route_contexts

from nlp_service.settings import Settings
from nlp_service.web.app import create_app
from tests.acceptance.server import ROOT, Served, command, environment, serve

# Probes, the description, the front door and the files of the pages; the way back, where a signature is the right.
OPEN = {
    "/healthz", "/readyz", "/metrics", "/openapi.json", "/", "/static",
    "/ui/sign-in", "/ui/sign-out", "/ui/preferences", "/ui/sign-in/oidc", "/ui/sign-in/oidc/callback",
    "/inbound/links/{token}", "/inbound/webhook/{key}", "/inbound/slack/{key}",
}  # fmt: skip


def make_key(folder: Path, *arguments: str) -> str:
    settings = {
        "NLP_SERVICE_DATABASE": f"sqlite:///{folder / 'service.db'}",
        "NLP_SERVICE_MODELS": str(ROOT / "models"),
    }
    made = subprocess.run(
        command("keys", "create", *arguments),
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return next(word for word in made.stdout.split() if word.startswith("nls_"))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Served, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("guarded")
    keys = {
        "admin": make_key(folder, "--name", "admin", "--scope", "admin"),
        "classify": make_key(folder, "--name", "hub", "--scope", "classify"),
        "logistics": make_key(folder, "--name", "viewer", "--scope", "read", "--department", "logistics"),
    }
    with serve(folder) as running:
        yield running, keys


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_a_key_nothing_but_probes_answers(guarded: tuple[Served, dict[str, str]]) -> None:
    running, _ = guarded
    refused = running.client.post("/classify", json={"text": "你好"})
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert running.client.get("/healthz").status_code == 200


def test_a_scope_opens_its_own_routes_alone(guarded: tuple[Served, dict[str, str]]) -> None:
    running, keys = guarded
    assert running.client.post("/classify", json={"text": "你好"}, headers=bearer(keys["classify"])).status_code == 200
    assert running.client.get("/policy", headers=bearer(keys["classify"])).status_code == 403
    assert running.client.get("/policy", headers={"X-API-Key": keys["admin"]}).status_code == 200
    assert running.client.get("/policy", headers=bearer("nls_unknown_key")).status_code == 401


def test_a_viewer_of_one_department_sees_nothing_of_another(guarded: tuple[Served, dict[str, str]]) -> None:
    running, keys = guarded
    for number, text in enumerate(("我的快递到哪了", "发票什么时候能开出来", "怎么申请开发票")):
        body = {"id": f"d-{number}", "text": text, "customer_id": "c-d"}
        running.client.post("/classify", json=body, headers=bearer(keys["admin"])).raise_for_status()
    everything = running.client.get("/customers/c-d", headers=bearer(keys["admin"])).json()["messages"]
    own = running.client.get("/customers/c-d", headers=bearer(keys["logistics"])).json()["messages"]
    assert len(everything) == 3
    assert [item["message_id"] for item in own] == ["d-0"]


def test_every_route_needs_a_scope() -> None:
    found = [route for route in iter_route_contexts(create_app(Settings()).routes) if isinstance(route.path, str)]
    assert len(found) > 60  # all of them, also those that are included
    unguarded = {route.path for route in found if not _scopes(route)}
    assert unguarded == OPEN


def _scopes(route: RouteContext) -> list[object]:
    dependant = getattr(route, "dependant", None)
    calls = [dependency.call for dependency in dependant.dependencies] if dependant else []
    return [call.scope for call in calls if hasattr(call, "scope")]


def test_reachable_from_elsewhere_needs_a_key_first(tmp_path: Path) -> None:
    settings = {
        "NLP_SERVICE_DATABASE": f"sqlite:///{tmp_path / 'service.db'}",
        "NLP_SERVICE_MODELS": str(ROOT / "models"),
        "NLP_SERVICE_HOST": "0.0.0.0",
    }
    result = subprocess.run(
        command("serve", "--port", "0"),
        cwd=tmp_path,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert result.returncode == 2
    assert "keys create" in result.stderr
