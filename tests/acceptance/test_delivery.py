"""Theme events through a real worker process to real receivers, good and bad ones."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from nlp_service.adapters.db.database import Database
from nlp_service.bootstrap.delivery import Delivery
from nlp_service.core.delivery.records import Delivery as Stored
from tests.receivers import Receivers, receive
from tests.workers import ROOT, environment, happen, open_parts, start_worker, subscribe, workers


@dataclass
class Stage:
    """One worker process, receivers, and the database between them."""

    database: Database
    delivery: Delivery
    receivers: Receivers
    variables: dict[str, str]

    def ended(self, name: str, state: str, seconds: float = 60) -> Stored:
        """Wait until the only delivery of a subscription is in a state; return it with its attempts."""
        key = self.delivery.subscriptions.get(name).id
        end = time.monotonic() + seconds
        found = ""
        while time.monotonic() < end:
            for entry in self.delivery.log.page(subscription_id=key).deliveries:
                found = f"{entry.state}: {entry.reason}"
                if entry.state == state:
                    return self.delivery.log.get(entry.id)
            time.sleep(0.05)
        raise AssertionError(f"delivery of {name} is not {state} but {found}")


@pytest.fixture(scope="module")
def stage(make_database: Callable[[str], str]) -> Iterator[Stage]:
    variables = environment(make_database("sqlite"))
    with receive() as receivers, open_parts(variables) as (database, delivery), workers(variables):
        yield Stage(database, delivery, receivers, variables)


@pytest.fixture(scope="module")
def impatient(make_database: Callable[[str], str]) -> Iterator[Stage]:
    """Return a stage whose worker waits two seconds for an answer."""
    variables = environment(make_database("sqlite"), DELIVERY_TIMEOUT="2")
    with receive() as receivers, open_parts(variables) as (database, delivery), workers(variables):
        yield Stage(database, delivery, receivers, variables)


def test_event_arrives_signed_once_and_soon(stage: Stage) -> None:
    secret = subscribe(stage.delivery, "good", f"{stage.receivers.url}/ok")
    event = happen(stage.database, 1, "thm_good")
    (request,) = stage.receivers.wait_for("/ok", 1)
    document = Webhook(secret).verify(request.body, dict(request.headers))
    assert document["data"]["id"] == event.id
    assert document["data"]["title"] == "说明书看不懂"
    done = stage.ended("good", "done")
    assert request.message_id == done.id
    assert [attempt.status for attempt in done.attempts] == [200]
    stage.delivery.subscribe.remove("good", by="test")


@pytest.mark.parametrize(
    ("path", "channel", "outcomes"),
    [
        ("/once/500", "webhook", ["refused", "delivered"]),
        ("/busy", "webhook", ["throttled", "delivered"]),
        ("/code", "feishu", ["refused", "delivered"]),
    ],
)
def test_passing_fault_is_tried_again_under_the_same_id(
    stage: Stage, path: str, channel: str, outcomes: list[str]
) -> None:
    subscribe(stage.delivery, path, f"{stage.receivers.url}{path}", channel)
    happen(stage.database, abs(hash(path)) % 10**6, f"thm_{path}")
    done = stage.ended(path, "done")
    assert [attempt.outcome for attempt in done.attempts] == outcomes
    requests = stage.receivers.of(path)
    assert len({request.headers.get("webhook-id") for request in requests}) == 1
    if path == "/busy":
        assert requests[1].at - requests[0].at >= 2
    stage.delivery.subscribe.remove(path, by="test")


@pytest.mark.parametrize(
    ("path", "outcome", "named"),
    [
        ("/fail/500", "refused", "500"),
        ("/moved", "refused", "302"),
        ("/cut", "unreachable", "unreachable"),
        ("/hang", "unreachable", "2 seconds"),
        ("/drip", "unreachable", "2 seconds"),
    ],
)
def test_lasting_fault_ends_as_a_dead_letter_and_the_endpoint_is_switched_off(
    impatient: Stage, path: str, outcome: str, named: str
) -> None:
    before = len(impatient.receivers.of("/ok"))
    subscribe(impatient.delivery, path, f"{impatient.receivers.url}{path}")
    happen(impatient.database, abs(hash(path)) % 10**6, f"thm_{path}")
    dead = impatient.ended(path, "dead")
    assert [attempt.outcome for attempt in dead.attempts] == [outcome] * 3
    assert named in dead.reason
    switched_off = impatient.delivery.subscriptions.get(path)
    assert switched_off.state == "disabled"
    assert "3 attempts in a row" in switched_off.state_reason
    assert len(impatient.receivers.of("/ok")) == before  # no redirect was followed
    impatient.delivery.subscribe.remove(path, by="test")


def test_gone_endpoint_is_disabled_at_once(stage: Stage) -> None:
    subscribe(stage.delivery, "gone", f"{stage.receivers.url}/fail/410")
    happen(stage.database, 410, "thm_gone")
    stage.receivers.wait_for("/fail/410", 1)
    waiting = stage.ended("gone", "open")
    end = time.monotonic() + 20
    while stage.delivery.subscriptions.get("gone").state != "disabled" and time.monotonic() < end:
        time.sleep(0.05)
    assert stage.delivery.subscriptions.get("gone").state == "disabled"
    time.sleep(1)
    assert len(stage.receivers.of("/fail/410")) == 1
    assert waiting.state == "open"
    stage.delivery.subscribe.remove("gone", by="test")


def test_unbounded_answer_is_not_read_to_its_end(stage: Stage) -> None:
    subscribe(stage.delivery, "huge", f"{stage.receivers.url}/huge")
    happen(stage.database, 5_000_000, "thm_huge")
    done = stage.ended("huge", "done")
    assert len(done.attempts[0].detail) <= 500
    stage.delivery.subscribe.remove("huge", by="test")


def test_slow_endpoint_holds_nobody_else_up(impatient: Stage) -> None:
    subscribe(impatient.delivery, "slow", f"{impatient.receivers.url}/hang")
    subscribe(impatient.delivery, "quick", f"{impatient.receivers.url}/quick")
    for number in range(30):
        happen(impatient.database, 90_000 + number, f"thm_slow_{number}")
    started = time.monotonic()
    impatient.receivers.wait_for("/quick", 30)
    assert time.monotonic() - started < 30
    for name in ("slow", "quick"):
        impatient.delivery.subscribe.remove(name, by="test")


def test_sample_over_the_command_line_and_three_commands_of_a_team(stage: Stage) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nlp_service.cli.main", *arguments],
            cwd=ROOT,
            env=stage.variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )

    url = f"{stage.receivers.url}/team"
    created = run("subscriptions", "create", "产品组", "--channel", "webhook", "--url", url, "-d", "product_team")
    assert created.returncode == 0, created.stderr
    sampled = run("subscriptions", "test", "产品组")
    assert sampled.returncode == 0, sampled.stderr
    (request,) = stage.receivers.wait_for("/team", 1)
    assert Webhook(created.stdout.strip()).verify(request.body, dict(request.headers))["data"]["sample"] is True
    listed = run("deliveries", "list")
    assert "sample" in listed.stdout
    shown = stage.delivery.log.page().deliveries[0]
    assert '"outcome": "delivered"' in run("deliveries", "show", shown.id).stdout
    wrong = run("subscriptions", "create", "x", "--channel", "fax", "--url", url)
    assert wrong.returncode == 3
    assert "dingtalk" in wrong.stderr
    assert run("subscriptions", "remove", "产品组").returncode == 0


def test_private_address_is_refused_and_switches_off(make_database: Callable[[str], str]) -> None:
    variables = environment(make_database("sqlite"), DELIVERY_NETWORKS="10.9.0.0/16")
    with receive() as receivers, open_parts(variables) as (_, delivery):
        subscribe(delivery, "inside", f"{receivers.url}/ok")
        outcome = delivery.sample("inside").outcome
        assert outcome.kind == "forbidden"
        assert "NLP_SERVICE_DELIVERY_NETWORKS" in outcome.detail
        assert receivers.requests == []


def test_worker_stops_within_seconds_and_loses_nothing(make_database: Callable[[str], str]) -> None:
    variables = environment(make_database("sqlite"))
    with receive() as receivers, open_parts(variables) as (database, delivery):
        subscribe(delivery, "team", f"{receivers.url}/ok")
        for number in range(200):
            happen(database, number, f"thm_{number % 20}")
        process = start_worker(variables)
        receivers.wait_for("/ok", 20)
        process.send_signal(signal.SIGTERM)
        started = time.monotonic()
        assert process.wait(30) == 0
        assert time.monotonic() - started < 12
        with workers(variables):
            receivers.wait_for("/ok", 200)
        ids = [request.message_id for request in receivers.of("/ok")]
        assert len(set(ids)) == 200
        assert len(ids) == 200  # a clean stop sends nothing twice


def test_time_of_an_event_is_its_own_on_every_attempt(stage: Stage) -> None:
    subscribe(stage.delivery, "/once/503", f"{stage.receivers.url}/once/503")
    happen(stage.database, 503, "thm_503")
    stage.ended("/once/503", "done")
    first, second = stage.receivers.of("/once/503")
    assert first.document["timestamp"] == second.document["timestamp"]
    stamps = [int(request.headers["webhook-timestamp"]) for request in (first, second)]
    assert stamps[0] <= stamps[1] <= int(datetime.now(UTC).timestamp())
    stage.delivery.subscribe.remove("/once/503", by="test")
