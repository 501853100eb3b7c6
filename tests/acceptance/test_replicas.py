"""Three replicas behind a balancer on one PostgreSQL: nothing done twice, nothing lost, no restart needed."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from nlp_service.adapters.db.migrations import migrate
from tests.bundles import write_bundle
from tests.postgres import Cluster, NoPostgres
from tests.receivers import receive
from tests.replicas import Fleet, Load, fleet, no_connection_left, stored_ids, wait_until
from tests.workers import environment, happen, open_parts, subscribe

pytestmark = pytest.mark.timeout(900)
JOBS, EVENTS = 6, 12
ROLE = "service"


def service_url(cluster: Cluster) -> str:
    return f"postgresql://{ROLE}@127.0.0.1:{cluster.port}/{ROLE}"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    try:
        own = Cluster()
    except (NoPostgres, OSError) as exc:
        pytest.skip(f"no PostgreSQL of our own: {exc}")
    try:
        own.start()
        with psycopg.connect(own.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN")
            connection.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
        migrate(service_url(own))
        yield own
    finally:
        own.remove()


@pytest.fixture(scope="module")
def three(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("replicas")
    write_bundle(folder / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (folder / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    with fleet(service_url(cluster), folder / "models", folder, count=3) as running:
        yield running


def test_no_job_and_no_delivery_is_done_twice(three: Fleet, cluster: Cluster) -> None:
    url = three.balancer.url
    with receive() as receivers, open_parts(environment(service_url(cluster))) as (database, delivery):
        subscribe(delivery, "team", f"{receivers.url}/ok")
        for number in range(EVENTS):
            happen(database, number, f"thm_{number}")
        for _ in range(JOBS):
            httpx.post(f"{url}/themes/mine", json={}, timeout=60).raise_for_status()

        def ended() -> bool:
            return all(job["finished_at"] for job in httpx.get(f"{url}/jobs", timeout=60).json())

        wait_until(ended)
        arrived = receivers.wait_for("/ok", EVENTS)
        wait_until(lambda: not delivery.log.page(state="open").deliveries)
        arrived = receivers.of("/ok")
    jobs = httpx.get(f"{url}/jobs", timeout=60).json()
    assert [(job["state"], job["attempts"], job["error"]) for job in jobs] == [("done", 1, None)] * JOBS
    assert Counter(request.message_id for request in arrived).most_common(1)[0][1] == 1
    assert len(arrived) == EVENTS
    assert not receivers.doubled


def test_faults_lose_nothing_that_was_answered_and_pass_without_a_restart(three: Fleet, cluster: Cluster) -> None:
    load = Load(three.balancer.url)
    with load.running():
        load.wait_for(20)
        three.kill()
        load.wait_for(20)
        cluster.stop()
        wait_until(lambda: load.outcomes["503"] > 0)
        cluster.start()
        load.wait_for(20)
        refused = load.outcomes["503"]
        with no_connection_left(cluster.url, ROLE):
            wait_until(lambda: load.outcomes["503"] > refused + 3)
        load.wait_for(20)
    assert set(load.answered) <= stored_ids(service_url(cluster))
    assert load.unclear == []
    assert set(load.outcomes) <= {"200", "503", "ReadError", "RemoteProtocolError", "ConnectError"}, load.outcomes
    assert load.slowest < 45
    assert all(replica.process.poll() is None for replica in three.replicas)
    for replica in three.replicas:
        assert httpx.get(f"http://127.0.0.1:{replica.port}/readyz", timeout=60).status_code == 200


def test_a_replica_told_to_stop_answers_what_it_has_taken_within_ten_seconds(three: Fleet, cluster: Cluster) -> None:
    load = Load(three.balancer.url)
    with load.running(pause=0):
        load.wait_for(20)
        began = time.monotonic()
        ended = three.replicas.pop()
        assert ended.end() in {0, -15}
        assert time.monotonic() - began < 10
        load.wait_for(20)
    assert set(load.answered) <= stored_ids(service_url(cluster))
