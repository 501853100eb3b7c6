from __future__ import annotations

import time
from datetime import timedelta

import pytest

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.housekeeping import Housekeeping
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.retention import Retention
from nlp_service.core.retention import RetentionRules
from nlp_service.errors import NotFound
from nlp_service.testing import START, FixedClock
from tests.examples import labelling, message


def test_retention_is_carried_out_while_the_service_runs(database: Database) -> None:
    clock = FixedClock(START - timedelta(days=10))
    store = Messages(database, mask=str, clock=clock)
    store.save([(message("old"), labelling("old"))]).result(30)
    clock.now = START
    rules = RetentionRules(days={"messages": 7})
    housekeeping = Housekeeping(Retention(database, clock=clock), rules, first=0.01, every=0.01)
    housekeeping.start()
    try:
        for _ in range(1000):
            try:
                store.get("old")
            except NotFound:
                break
            time.sleep(0.02)
    finally:
        housekeeping.close()
    with pytest.raises(NotFound):
        store.get("old")
