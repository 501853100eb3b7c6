"""Subscriptions, deliveries and the way back over HTTP, on a served process that delivers to a real receiver."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from standardwebhooks.webhooks import Webhook

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.themes import Themes
from nlp_service.core.delivery.signing import sign_webhook
from nlp_service.core.themes.values import Change
from tests.acceptance.server import Served, serve
from tests.bundles import write_bundle
from tests.examples import theme
from tests.receivers import Receivers, receive
from tests.workers import happen


@dataclass(frozen=True)
class Site:
    served: Served
    receivers: Receivers
    database: Database

    @property
    def client(self) -> httpx.Client:
        return self.served.client

    def subscribe(self, name: str, path: str = "/ok", **fields: Any) -> httpx.Response:
        body = {"name": name, "channel": "webhook", "target": {"url": f"{self.receivers.url}{path}"}, **fields}
        return self.client.post("/subscriptions", json=body)

    def deliveries(self, name: str, **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.client.get("/deliveries", params={"subscription": name, **query}).json()[
            "deliveries"
        ]
        return found

    def samples(self, metric: str) -> dict[str, float]:
        """Return a metric by its labels as /metrics prints them."""
        lines = re.findall(rf"^{metric}\{{(.*?)\}} (\S+)$", self.client.get("/metrics").text, re.MULTILINE)
        return {labels: float(value) for labels, value in lines}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("hooks")
    write_bundle(folder / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (folder / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    url = f"sqlite:///{folder / 'service.db'}"
    given = {
        "DATABASE": url,
        "MODELS": str(folder / "models"),
        "DELIVERY_NETWORKS": "127.0.0.0/8",
        "DELIVERY_SCHEDULE": "0,0.2",
        "DELIVERY_REST": "0.2",
        "PUBLIC_URL": "https://feedback.example",
    }
    settings = {f"NLP_SERVICE_{name}": value for name, value in given.items()}
    with receive() as receivers, serve(folder, **settings) as served, Database.open(url) as database:
        yield Site(served, receivers, database)


def until(reached: Callable[[], object], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, "it did not come to pass"
        time.sleep(0.05)


def test_a_subscription_from_its_making_to_its_removal(site: Site) -> None:
    made = site.subscribe("产品组", "/team", filter={"departments": ["product_team"]})
    assert made.status_code == 201, made.text
    secret = made.json()["secret"]
    assert secret.startswith("whsec_")
    assert site.subscribe("产品组").status_code == 409
    listed = site.client.get("/subscriptions").text
    assert secret not in listed
    assert "/team" not in listed  # an address may be a secret too
    shown = site.client.get("/subscriptions/产品组").json()
    assert (shown["state"], shown["secret"]) == ("active", None)

    sampled = site.client.post(f"/subscriptions/{shown['id']}/test").json()
    assert (sampled["outcome"], sampled["status"]) == ("delivered", 200)
    (request,) = site.receivers.wait_for("/team", 1)
    assert Webhook(secret).verify(request.body, dict(request.headers))["data"]["sample"] is True

    changed = site.client.patch("/subscriptions/产品组", json={"name": "产品", "filter": {"least_share": 0.05}}).json()
    assert (changed["name"], changed["filter"]["least_share"]) == ("产品", 0.05)
    changed = site.client.patch("/subscriptions/产品", json={"filter": {"kinds": ["new"]}}).json()
    assert changed["filter"]["least_share"] == 0  # a filter is given as a whole

    rotated = site.client.post("/subscriptions/产品/rotate", json={}).json()["secret"]
    site.client.post("/subscriptions/产品/test").raise_for_status()
    newest = site.receivers.wait_for("/team", 2)[-1]
    for valid in (secret, rotated):
        Webhook(valid).verify(newest.body, dict(newest.headers))

    assert site.client.delete("/subscriptions/产品").status_code == 204
    assert site.client.get("/subscriptions/产品").status_code == 404
    assert site.client.post("/subscriptions/产品/test").status_code == 404


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"channel": "fax"}, "channel"),
        ({"target": {}}, "url"),
        ({"filter": {"departments": ["logistic"]}}, "logistic"),
        ({"rhythm": {"when": "hourly"}}, "when"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_used_is_named(site: Site, fields: dict[str, Any], named: str) -> None:
    refused = site.subscribe("wrong", **fields)
    assert refused.status_code == 422
    assert named in refused.text
    assert "wrong" not in site.client.get("/subscriptions").text


def test_paused_holds_back_and_resume_sends(site: Site) -> None:
    site.subscribe("patient", "/patient").raise_for_status()
    assert site.client.post("/subscriptions/patient/pause").json()["state"] == "paused"
    event = happen(site.database, 71, "thm_patient")
    until(lambda: site.deliveries("patient"))
    time.sleep(0.6)
    assert site.receivers.of("/patient") == []
    assert site.client.post("/subscriptions/patient/resume").json()["state"] == "active"
    (request,) = site.receivers.wait_for("/patient", 1)
    assert request.document["data"]["id"] == event.id
    until(lambda: site.deliveries("patient", state="done"))
    site.client.delete("/subscriptions/patient")


def test_a_dead_letter_is_seen_measured_and_sent_again(site: Site) -> None:
    site.subscribe("broken", "/fail/500").raise_for_status()
    happen(site.database, 72, "thm_broken")
    until(lambda: site.deliveries("broken", state="dead"))
    (dead,) = site.deliveries("broken", state="dead")
    detail = site.client.get(f"/deliveries/{dead['id']}").json()
    assert [attempt["status"] for attempt in detail["attempts"]] == [500, 500]
    assert [attempt["verdict"] for attempt in detail["attempts"]] == ["retry", "dead"]
    assert detail["events"][0]["id"] == "evt_00072"
    assert site.samples("nlp_delivery_dead_letters")['channel="webhook"'] == 1
    counted = site.samples("nlp_delivery_attempts_total")
    assert counted['channel="webhook",verdict="dead"'] >= 1
    assert counted['channel="webhook",verdict="retry"'] >= 1

    site.receivers.scripted["POST /fail/500"] = [(200, "{}")]
    assert site.client.post(f"/deliveries/{dead['id']}/resend").json() == {"deliveries": 1}
    waiting = site.samples("nlp_delivery_backlog")['channel="webhook"']
    late = site.samples("nlp_delivery_oldest_seconds")['channel="webhook"']
    assert (waiting, late > 0) == (1, True)  # the endpoint was switched off and is not yet on again
    assert site.client.post("/subscriptions/broken/resume").json()["state"] == "active"
    until(lambda: site.deliveries("broken", state="done"))
    requests = site.receivers.of("/fail/500")
    assert len({request.message_id for request in requests}) == 1
    again = site.client.post(f"/deliveries/{dead['id']}/resend")
    assert again.status_code == 409
    assert "done" in again.json()["detail"]
    assert site.client.post("/deliveries/resend-dead", params={"subscription": "broken"}).json() == {"deliveries": 0}
    assert site.client.get("/deliveries/none").status_code == 404
    audited = [(entry["action"], entry["subject"]) for entry in site.client.get("/audit").json()]
    assert ("delivery.resend", f"delivery {dead['id']}") in audited
    assert site.samples("nlp_delivery_backlog")['channel="webhook"'] == 0
    site.client.delete("/subscriptions/broken")


@pytest.fixture
def told(site: Site) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Let a real theme be found; return its id, the subscription's secret, and what the team got."""
    secret = site.subscribe("listeners", "/listeners").json()["secret"]
    before = len(site.receivers.of("/listeners"))
    at = datetime.now(UTC)
    made = theme(f"说明书 {at.timestamp()}", departments=("product_team",), at=at)
    store = Themes(
        site.database,
        publish=lambda connection, event: enqueue(connection, event, at=at) and None,
        public_url="https://feedback.example",
        clock=lambda: at,
    )
    store.add(made, [], [Change(theme_id=made.id, kind="new", reason="found", at=at)])
    request = site.receivers.wait_for("/listeners", before + 1)[-1]
    yield made.id, secret, request.document
    site.client.delete("/subscriptions/listeners")


def state_of(site: Site, key: str) -> str:
    return str(site.client.get(f"/themes/{key}").json()["state"])


def test_the_link_of_a_message_acknowledges_its_theme_once_pressed(
    site: Site, told: tuple[str, str, dict[str, Any]]
) -> None:
    key, _, document = told
    link = urlsplit(document["data"]["links"]["acknowledge"]).path
    looked = site.client.get(link)
    assert looked.status_code == 200
    assert "<button" in looked.text
    assert state_of(site, key) == "new"  # chats look at links by themselves
    for _ in range(2):
        assert site.client.post(link).status_code == 200
        assert state_of(site, key) == "acknowledged"
    token = link.rpartition("/")[2]
    for forged in (token[:-2] + ("AA" if token[-2:] != "AA" else "BB"), "x", f"{token}.x"):
        assert site.client.post(f"/inbound/links/{forged}").status_code == 403


def test_a_signed_webhook_marks_a_theme_as_fixed_and_nothing_else_does(
    site: Site, told: tuple[str, str, dict[str, Any]]
) -> None:
    key, secret, _ = told
    body = json.dumps({"type": "theme.fix", "data": {"theme_id": key, "by": "王"}}).encode()
    subscription = site.client.get("/subscriptions/listeners").json()["id"]

    def post(content: bytes, *, by: str = secret, at: float | None = None, to: str = subscription) -> httpx.Response:
        stamp = int(at or time.time())
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(stamp),
            "webhook-signature": sign_webhook([by], message_id="msg_1", timestamp=stamp, body=content),
        }
        return site.client.post(f"/inbound/webhook/{to}", content=content, headers=headers)

    other = "whsec_" + base64.b64encode(b"o" * 32).decode()
    assert post(body, by=other).status_code == 403
    assert post(body, at=time.time() - 600).status_code == 403
    assert post(body, to="sub_none").status_code == 403
    assert post(b'{"type": "theme.explode", "data": {"theme_id": "t"}}').status_code == 422
    assert post(b" " * 70_000).status_code in {413, 422}
    assert site.client.post(f"/inbound/webhook/{subscription}", content=body).status_code == 422
    assert state_of(site, key) == "new"
    heard = post(body)
    assert heard.json() == {"action": "fix", "theme_id": key, "by": "王 (listeners)"}
    assert state_of(site, key) == "fixed"


def test_slack_buttons_need_the_signing_secret(site: Site, told: tuple[str, str, dict[str, Any]]) -> None:
    subscription = site.client.get("/subscriptions/listeners").json()["id"]
    headers = {"x-slack-request-timestamp": str(int(time.time())), "x-slack-signature": "v0=00"}
    refused = site.client.post(f"/inbound/slack/{subscription}", content=b"payload={}", headers=headers)
    assert refused.status_code == 403
    assert state_of(site, told[0]) == "new"
