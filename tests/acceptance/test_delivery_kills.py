"""Kills and several workers at once; the long form is in tests/soak."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.kills import run
from tests.receivers import receive
from tests.workers import Killable, environment, happen, open_parts, subscribe


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_killed_worker_loses_nothing_and_doubles_under_one_id_alone(
    make_database: Callable[[str], str], kind: str
) -> None:
    arrived = run(make_database(kind), events=60, kills=3, seed=1, themes=7, lease_timeout="2")
    assert arrived.holds, arrived
    assert arrived.distinct_ids == 60


def test_two_workers_never_send_the_same_attempt_at_once(make_database: Callable[[str], str]) -> None:
    variables = environment(make_database("postgresql"))
    with receive() as receivers, open_parts(variables) as (database, delivery):
        subscribe(delivery, "team", f"{receivers.url}/ok")
        for number in range(120):
            happen(database, number, f"thm_{number % 15}")
        pair = [Killable(variables), Killable(variables)]
        for worker in pair:
            worker.start()
        requests = receivers.wait_for("/ok", 120, seconds=200)
        for worker in pair:
            worker.kill()
        assert len({request.message_id for request in requests}) == 120
        assert len(requests) == 120
        assert receivers.doubled == set()
        order: dict[str, list[str]] = {}
        for request in requests:
            order.setdefault(request.document["data"]["theme_id"], []).append(request.document["data"]["id"])
        assert all(found == sorted(found) for found in order.values())
