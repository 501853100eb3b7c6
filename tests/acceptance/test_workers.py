"""Several processes on one port and one database."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.acceptance.server import serve


def test_two_workers_share_port_database_and_metrics(tmp_path: Path) -> None:
    with serve(tmp_path, "--workers", "2", NLP_SERVICE_RETENTION_DAYS='{"messages": 365}') as running:

        def ask(number: int) -> int:
            body = {"id": f"w-{number}", "text": f"第{number}次问快递到哪了", "customer_id": "c-w"}
            return running.client.post("/classify", json=body).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(40))) == {200}
        assert len(running.client.get("/customers/c-w").json()["messages"]) == 40
        counted = [
            float(line.rsplit(" ", 1)[1])
            for line in running.client.get("/metrics").text.splitlines()
            if line.startswith('nlp_requests_total{route="/classify",status="200"}')
        ]
    assert sum(counted) == 40
