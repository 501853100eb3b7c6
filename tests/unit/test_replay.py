"""What another policy would change, counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nlp_service.contract.calibration import Abstention, Calibration
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.policy import default_policy, load_policy
from nlp_service.core.replay import replay
from nlp_service.core.stored import StoredMessage
from tests.bundles import ROOT
from tests.examples import labelling, message

START = datetime(2026, 11, 1, tzinfo=UTC)
CALIBRATION = Calibration(
    temperatures={},
    flag_thresholds={},
    scope_threshold=0.5,
    abstention=(
        Abstention(threshold=0.5, target_accuracy=0.95, risk_level=0.1, coverage=0.9, accuracy=0.95),
        Abstention(threshold=0.99, target_accuracy=0.99, risk_level=0.1, coverage=0.1, accuracy=0.99),
    ),
)


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load_taxonomy(ROOT / "corpora" / "taxonomy.yaml")


def stored(count: int) -> list[StoredMessage]:
    found = []
    for day in range(count):
        at = START + timedelta(days=day)
        said = labelling(f"m-{day}", intent="complaint", department="complaints", flags=())
        original = message(f"m-{day}", text=said.masked_text, customer_id="c-1")
        found.append(StoredMessage(message=original, received_at=at, occurred_at=at, labellings=(said,)))
    return found


def test_a_rule_over_history_sees_the_messages_before(taxonomy: Taxonomy) -> None:
    forecast = replay(stored(3), default_policy(taxonomy), taxonomy, CALIBRATION)
    assert forecast.messages == 3
    assert forecast.priority[("normal", "urgent")] == 2  # the second and third complaint
    assert forecast.moved == 2


def test_a_stricter_promise_sends_more_to_people(taxonomy: Taxonomy) -> None:
    strict = default_policy(taxonomy).text.replace("target_accuracy: 0.85", "target_accuracy: 0.99")
    forecast = replay(stored(1), load_policy(strict, taxonomy, where="test"), taxonomy, CALIBRATION)
    assert forecast.human[(False, True)] == 1
    assert forecast.as_data()["needs_human"] == {"before": 0, "after": 1}


def test_queues_hold_every_message_before_and_after(taxonomy: Taxonomy) -> None:
    data = replay(stored(5), default_policy(taxonomy), taxonomy, CALIBRATION).as_data()
    for queues in (data["priority"], data["department"]):
        assert isinstance(queues, list)
        assert sum(queue["before"] for queue in queues) == sum(queue["after"] for queue in queues) == 5
