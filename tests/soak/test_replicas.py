"""Three replicas on one PostgreSQL under load while replicas are killed and the database is restarted, again and again.

ROUNDS says how often; each takes about half a minute.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import psycopg
import pytest

from nlp_service.adapters.db.migrations import migrate
from tests.acceptance.server import ROOT
from tests.bundles import write_bundle
from tests.postgres import Cluster, NoPostgres
from tests.replicas import Load, fleet, no_connection_left, stored_ids, wait_until

ROUNDS = int(os.environ.get("ROUNDS", "20"))
RESULT = ROOT / "benchmarks" / "results" / "replicas.json"
ROLE = "service"

pytestmark = [pytest.mark.soak, pytest.mark.timeout(4 * 3600)]


def test_faults_again_and_again(tmp_path: Path) -> None:
    try:
        cluster = Cluster()
    except (NoPostgres, OSError) as exc:
        pytest.skip(f"no PostgreSQL of our own: {exc}")
    write_bundle(tmp_path / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (tmp_path / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    try:
        cluster.start()
        with psycopg.connect(cluster.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {ROLE} LOGIN")
            connection.execute(f"CREATE DATABASE {ROLE} OWNER {ROLE}")
        url = f"postgresql://{ROLE}@127.0.0.1:{cluster.port}/{ROLE}"
        migrate(url)
        with fleet(url, tmp_path / "models", tmp_path, count=3) as running:
            load = Load(running.balancer.url)
            with load.running(clients=8):
                for number in range(ROUNDS):
                    load.wait_for(200)
                    running.kill()
                    load.wait_for(100)
                    cluster.stop("immediate" if number % 2 else "fast")
                    cluster.start()
                    load.wait_for(100)
                    refused = load.outcomes["503"]
                    with no_connection_left(cluster.url, ROLE):
                        wait_until(lambda refused=refused: load.outcomes["503"] > refused)  # type: ignore[misc]
                    running.start()
            lost = set(load.answered) - stored_ids(url)
    finally:
        cluster.remove()
    result = {"rounds": ROUNDS, "outcomes": dict(load.outcomes), "answered": len(load.answered), "lost": len(lost),
              "slowest_seconds": round(load.slowest, 1)}  # fmt: skip
    if ROUNDS >= 20:
        RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    assert not lost
    assert load.unclear == []
    assert set(load.outcomes) <= {"200", "503", "ReadError", "RemoteProtocolError", "ConnectError"}, result
