"""Corrections and the review queue on both databases: kept, told, resolved, filled and erased."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.corrections import Corrections
from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.review import ReviewQueue
from nlp_service.adapters.db.tables import corrections, review_queue
from nlp_service.adapters.db.themes import Themes
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.audit import pseudonym
from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.core.labelling import LabelConfidence, Labelling
from nlp_service.core.privacy import find_pii, mask
from nlp_service.core.stored import Window
from nlp_service.errors import Conflict, InvalidMessage, NotFound
from nlp_service.flows.correct import Correct, FillQueue
from nlp_service.testing import START, FixedClock
from tests.examples import MODEL, labelling, message

WINDOW = Window(start=START - timedelta(days=30), end=START + timedelta(days=30))
DELAY = CorrectedLabels(intent="delivery_delay", flags=())
USAGE = CorrectedLabels(intent="product_usage")


class Desk:
    """Forty stored messages, every fourth unsure, and everything that works on them."""

    def __init__(self, database: Database, taxonomy: Taxonomy) -> None:
        database.transaction(lambda connection: connection.exec_driver_sql("DELETE FROM messages") and None)
        self.database = database
        self.clock = FixedClock(START + timedelta(days=1))
        self.messages = Messages(database, mask=str)
        self.corrections, self.queue = Corrections(database), ReviewQueue(database)
        self.correct = Correct(
            messages=self.messages,
            corrections=self.corrections,
            taxonomy=lambda: taxonomy,
            find_theme=Themes(database).get,
            mask=lambda text: mask(text, find_pii(text)),
            now=self.clock,
        )
        self.fill = FillQueue(
            messages=self.messages,
            corrections=self.corrections,
            queue=self.queue,
            model=lambda: MODEL,
            now=self.clock,
        )
        rows = []
        for number in range(40):
            key = f"m-{number}"
            said = f"第{number}号说明书看不懂{chr(0x4E00 + number)}{chr(0x5E00 + number)}"
            opinion = _unsure(labelling(key, text=said), number)
            rows.append((message(key, text=said, customer_id=f"c-{number % 4}", sent_at=START), opinion))
        self.messages.save(rows).result(30)

    def waiting(self, **asked: object) -> list[str]:
        return [queued.entry.message_id for queued in self.queue.entries(**asked)]  # type: ignore[arg-type]


def _unsure(opinion: Labelling, number: int) -> Labelling:
    confidence = 0.1 + number / 100 if number % 4 == 0 else 0.95
    intent = LabelConfidence(label=opinion.labels.intent.label, confidence=confidence)
    return replace(opinion, labels=replace(opinion.labels, intent=intent))


@pytest.fixture
def desk(database: Database, taxonomy: Taxonomy) -> Desk:
    return Desk(database, taxonomy)


def test_corrections_are_kept_settled_and_told(desk: Desk) -> None:
    _, settled = desk.correct("m-0", DELAY, by="key a", why="寄丢了，打13800138000")
    assert settled.fields["intent"].state == "single"
    _, settled = desk.correct("m-0", USAGE, by="key b")
    assert settled.disputed == ("intent",)
    with pytest.raises(Conflict, match="third person"):
        desk.correct("m-0", USAGE, by="key a", resolves=True)
    made, settled = desk.correct("m-0", USAGE, by="key c", resolves=True)
    assert (settled.fields["intent"].state, settled.labels.intent) == ("resolved", "product_usage")
    assert settled.labels.flags == ()

    page = desk.corrections.page(message_id="m-0")
    assert [entry.by for entry in page] == ["key c", "key b", "key a"]
    assert page[0] == made
    assert (page[2].labels, page[2].why) == (DELAY, "寄丢了，打[手机]")
    assert [entry.by for entry in desk.corrections.page(by="key b")] == ["key b"]
    assert desk.corrections.page(departments={"finance"}) == ()
    assert len(desk.corrections.page(departments={"tech_support"}, before=made.id)) == 2
    told = AuditLog(desk.database).entries(subject=pseudonym("message", "m-0"))
    actions = [(one.entry.action, one.entry.actor) for one in told][:3]
    assert actions == [("correction.resolve", "key c"), ("correction.add", "key b"), ("correction.add", "key a")]
    assert told[2].entry.detail == {"fields": "intent, flags"}


def test_what_cannot_be_is_refused(desk: Desk) -> None:
    with pytest.raises(NotFound, match="'absent'"):
        desk.correct("absent", DELAY, by="key a")
    with pytest.raises(NotFound, match="'m-1'"):
        desk.correct("m-1", DELAY, by="key a", departments={"finance"})
    with pytest.raises(InvalidMessage, match="did you mean 'delivery_delay'"):
        desk.correct("m-1", CorrectedLabels(intent="delivery_dely"), by="key a")
    with pytest.raises(Conflict, match="nobody disagrees"):
        desk.correct("m-1", DELAY, by="key a", resolves=True)
    with pytest.raises(NotFound, match="no theme 'thm_absent'"):
        desk.correct("m-1", CorrectedLabels(theme="thm_absent"), by="key a")
    assert desk.corrections.page() == ()


def test_the_queue_is_filled_worked_off_and_asks_a_third(desk: Desk) -> None:
    assert desk.fill() > 10
    first = desk.waiting()
    reasons = {queued.entry.message_id: queued.entry.reasons for queued in desk.queue.entries()}
    assert reasons["m-0"][0].kind == "low_confidence"
    assert any(own[0].kind == "sample" for own in reasons.values())
    assert desk.waiting(departments={"finance"}) == []

    desk.correct(first[0], DELAY, by="key a")
    assert first[0] not in desk.waiting()
    desk.correct(first[0], USAGE, by="key b")
    assert desk.waiting()[0] == first[0]  # at once, and first
    assert desk.waiting(not_by="key a") == desk.waiting(not_by="key c")[1:]
    desk.fill()
    assert desk.waiting()[0] == first[0]
    desk.correct(first[0], DELAY, by="key c", resolves=True)
    desk.fill()
    assert first[0] not in desk.waiting()


def test_equal_texts_are_drawn_once_until_one_is_judged(desk: Desk) -> None:
    rows = [(message(f"same-{n}", text="你好", sent_at=START), labelling(f"same-{n}", text="你好")) for n in range(5)]
    desk.messages.save(rows).result(30)
    drawn = [key for key, _ in desk.queue.sample(WINDOW, limit=100)]
    assert len(drawn) == 41
    assert [key for key in drawn if key.startswith("same")] == ["same-0"]
    desk.correct("same-3", CorrectedLabels(intent="smalltalk"), by="key a")
    assert not any(key.startswith("same") for key, _ in desk.queue.sample(WINDOW, limit=100))


def test_judgements_are_held_against_one_version(desk: Desk) -> None:
    desk.correct("m-0", DELAY, by="key a")
    desk.correct("m-1", USAGE, by="key a")
    found = {entry.right.intent: entry.said["intent"] for entry in desk.corrections.judgements(WINDOW, version="1.0.0")}
    assert found == {"delivery_delay": "product_usage", "product_usage": "product_usage"}
    assert desk.corrections.judgements(WINDOW, version="9.9.9") == ()
    texts = desk.corrections.first_texts(WINDOW, limit=10)
    assert (len(texts), sorted(texts)) == (10, list(texts))


def test_removing_a_customer_removes_what_people_said_and_what_waits(desk: Desk) -> None:
    desk.fill()
    for key in ("m-0", "m-1", "m-4"):
        desk.correct(key, DELAY, by="key a")
    customers = Customers(desk.database)
    export = customers.export("c-0", by="key a")
    assert {row["message_id"] for row in export["corrections"]} == {"m-0", "m-4"}
    customers.erase("c-0", by="key a")
    assert [made.message_id for made in desk.corrections.page()] == ["m-1"]
    own = {f"m-{number}" for number in range(0, 40, 4)}
    assert not own & set(desk.waiting(limit=200))
    assert _counts(desk.database) == [1, len(desk.waiting(limit=200))]


def _counts(database: Database) -> list[int]:
    queries = [select(func.count()).select_from(table) for table in (corrections, review_queue)]
    return database.read(lambda connection: [connection.execute(query).scalar_one() for query in queries])
