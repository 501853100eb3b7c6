"""Drift on real databases: weeks are measured from what is stored, and an alert is raised once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
from sqlalchemy import Connection, select

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.drift import DriftWeeks
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.tables import outbox
from nlp_service.contract.calibration import Abstention, Calibration
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.drift import ALERT, STEADY, weeks_before
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.messages import Message
from nlp_service.flows.watch_drift import WatchDrift
from nlp_service.testing import FixedClock
from tests.examples import labelling

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
MEAN = [0.0] * 16


def version(number: str) -> ModelIdentity:
    """Return a model of the test's own: the database is shared."""
    return ModelIdentity(name="drift", version=number)


class Described:
    """What the flow needs of the model that answers."""

    languages = ("zh",)

    def __init__(self, taxonomy: Taxonomy, identity: ModelIdentity) -> None:
        self.taxonomy = taxonomy
        self.identity = identity
        self.calibration = Calibration(
            temperatures={},
            flag_thresholds={},
            scope_threshold=0.9,
            abstention=(Abstention(threshold=0.5, target_accuracy=0.9, risk_level=0.1, coverage=1, accuracy=1),),
            reference={
                "intent_shares": {"product_usage": 0.5, "delivery_delay": 0.5},
                "language_shares": {"zh": 1.0},
                "mean_confidence": 0.93,
                "embedding_mean": MEAN,
                "messages": 1000,
            },
        )


def store(database: Database, model: ModelIdentity, *, week: int, intents: tuple[str, ...], count: int = 240) -> None:
    rows = []
    for number in range(count):
        key = f"{model.version}-{week}-{number}"
        at = MONDAY + timedelta(weeks=week, minutes=number)
        said = labelling(key, text="x", intent=intents[number % len(intents)], model=model)
        rows.append((Message(id=key, text="x", sent_at=at), said))
    Messages(database, mask=lambda text: text).save(rows).result()


def publish(connection: Connection, event: ThemeEvent) -> None:
    enqueue(connection, event, at=event.at)


def test_a_changed_week_raises_one_alert(database: Database, taxonomy: Taxonomy) -> None:
    model = version("1")
    store(database, model, week=0, intents=("product_usage", "delivery_delay"))
    store(database, model, week=1, intents=("delivery_delay",))
    told = []
    watch = WatchDrift(
        store=DriftWeeks(database, publish=publish),
        model=lambda: Described(taxonomy, model),
        now=FixedClock(MONDAY + timedelta(weeks=1, days=2)),
        tell=told.append,
    )
    assert watch.report().weeks == ()
    report = watch(weeks=4)
    assert [(week.messages, week.state) for week in report.weeks] == [(240, STEADY), (240, ALERT)]
    assert report.state == ALERT
    assert report.weeks[0].intents == {"product_usage": 0.5, "delivery_delay": 0.5}
    watch(weeks=4)
    assert watch.report(weeks=4).weeks == report.weeks
    assert len(told) == 2
    events = database.read(lambda connection: connection.execute(select(outbox)).all())
    assert [(event.kind, event.document["severity"]) for event in events] == [("drift", "major")]
    assert "delivery_delay 50.0% to 100.0%" in events[0].document["reason"]


def test_the_mean_embedding_is_that_of_what_is_stored(database: Database) -> None:
    model = version("2")
    store(database, model, week=0, intents=("product_usage",), count=50)
    weeks = DriftWeeks(database)
    observed = weeks.observe(weeks_before(MONDAY, 1)[0], model)
    vectors = [labelling(f"2-0-{number}", model=model).embedding for number in range(50)]
    assert observed.sampled == 50
    assert observed.embedding_mean is not None
    np.testing.assert_allclose(observed.embedding_mean, np.mean(vectors, axis=0), atol=1e-3)
    weeks.keep(observed, model, at=MONDAY)
    weeks.keep(observed, model, at=MONDAY)
    [kept] = weeks.weeks(model, limit=5)
    assert (kept.messages, kept.intents, kept.window) == (50, {"product_usage": 50}, observed.window)


def test_the_weeks_before_can_be_the_reference(database: Database, taxonomy: Taxonomy) -> None:
    model = version("3")
    for week in (0, 1):
        store(database, model, week=week, intents=("praise",))
    store(database, model, week=2, intents=("refund_request",))
    watch = WatchDrift(
        store=DriftWeeks(database),
        model=lambda: Described(taxonomy, model),
        now=FixedClock(MONDAY + timedelta(weeks=2, days=2)),
        against="past",
    )
    assert [week.state for week in watch(weeks=4).weeks] == ["few", STEADY, ALERT]
