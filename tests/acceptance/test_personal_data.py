"""A customer's data, exported and removed over HTTP, and told in the audit log without naming the customer."""

from __future__ import annotations

from pathlib import Path

from tests.acceptance.server import serve


def test_export_then_removal_then_nothing(tmp_path: Path) -> None:
    with serve(tmp_path) as running:
        for number in range(3):
            body = {"id": f"x-{number}", "text": "手机13812345678打不通，快递没到", "customer_id": "c-x"}
            running.client.post("/classify", json=body).raise_for_status()
        exported = running.client.get("/customers/c-x/export").json()
        assert [row["id"] for row in exported["messages"]] == ["x-0", "x-1", "x-2"]
        assert "13812345678" not in str(exported)
        assert running.client.delete("/customers/c-x").json()["messages"] == 3
        assert running.client.get("/customers/c-x").status_code == 404
        assert running.client.delete("/customers/c-x").status_code == 404
        log = running.client.get("/audit").json()
    assert {entry["action"] for entry in log} == {"customer.export", "customer.erase"}
    assert "c-x" not in str(log)
