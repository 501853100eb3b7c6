"""Kill a worker again and again while it delivers, and say what arrived."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass

from nlp_service.bootstrap.delivery import Delivery
from tests.receivers import Received, receive
from tests.workers import Killable, environment, happen, open_parts, subscribe


@dataclass(frozen=True, kw_only=True)
class Arrived:
    events: int
    kills: int
    requests: int
    distinct_events: int
    distinct_ids: int
    ids_with_two_events: int  # must be 0
    events_with_two_ids: int  # must be 0
    themes_out_of_order: int  # must be 0; the first arrival of each event counts
    under_way_twice: int  # the same id sent by two workers at once; must be 0
    left_open: int
    dead: int
    seconds: float

    @property
    def holds(self) -> bool:
        wrong = (
            self.ids_with_two_events,
            self.events_with_two_ids,
            self.themes_out_of_order,
            self.left_open,
            self.dead,
            self.under_way_twice,
        )
        return self.distinct_events == self.events and not any(wrong)


def run(url: str, *, events: int, kills: int, seed: int, themes: int = 40, lease_timeout: str = "0.5") -> Arrived:
    """Let events happen, kill the worker at random moments, and wait until everything has come to rest."""
    chance = random.Random(seed)
    variables = environment(url, DELIVERY_TIMEOUT=lease_timeout, DELIVERY_SCHEDULE=",".join(["0", *["0.2"] * 30]))
    started = time.monotonic()
    with receive() as receivers, open_parts(variables) as (database, delivery):
        subscribe(delivery, "team", f"{receivers.url}/ok")
        for number in range(events):
            happen(database, number, f"thm_{number % themes}")
        worker = Killable(variables)
        worker.start()
        for kill in range(kills):
            goal = (kill + 1) * events // (kills + 1)
            _wait(lambda: len(receivers.requests) >= goal or not _open(delivery), 120)  # noqa: B023  # used at once
            time.sleep(chance.random() * 0.05)
            worker.kill()
            worker.start()
        _wait(lambda: not _open(delivery), 300)
        worker.kill()
        requests = receivers.of("/ok")
        return _count(
            requests,
            events=events,
            kills=kills,
            left_open=_open(delivery),
            dead=len(delivery.log.page(state="dead").deliveries),
            under_way_twice=len(receivers.doubled),
            seconds=round(time.monotonic() - started, 1),
        )


def _count(requests: list[Received], **known: float) -> Arrived:
    events_of: dict[str, set[str]] = {}
    ids_of: dict[str, set[str]] = {}
    first: dict[str, list[str]] = {}
    for request in requests:
        data = request.document["data"]
        events_of.setdefault(request.message_id, set()).add(data["id"])
        if data["id"] not in ids_of:
            first.setdefault(data["theme_id"], []).append(data["id"])
        ids_of.setdefault(data["id"], set()).add(request.message_id)
    return Arrived(
        requests=len(requests),
        distinct_events=len(ids_of),
        distinct_ids=len(events_of),
        ids_with_two_events=sum(len(found) > 1 for found in events_of.values()),
        events_with_two_ids=sum(len(found) > 1 for found in ids_of.values()),
        themes_out_of_order=sum(order != sorted(order) for order in first.values()),
        **known,  # type: ignore[arg-type]
    )


def _open(delivery: Delivery) -> int:
    return len(delivery.log.page(state="open", limit=500).deliveries)


def _wait(done: object, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():  # type: ignore[operator]
        if time.monotonic() > end:
            raise AssertionError(f"nothing came to rest within {seconds} s")
        time.sleep(0.01)
