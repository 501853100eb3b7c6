"""What every message store does: the shipped fake, SQLite and PostgreSQL."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count

import numpy as np
import pytest

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.sealing import AesSealer
from nlp_service.core.labelling import Labelling, ModelIdentity
from nlp_service.core.stored import Window
from nlp_service.errors import NotFound
from nlp_service.ports import MessageStore
from nlp_service.testing import START, FixedClock, MemoryMessages
from tests.examples import MODEL, labelling, message

KEY = base64.b64encode(bytes(range(32))).decode()
NEWER = ModelIdentity(name="feedback", version="1.1.0")
ALWAYS = Window(start=datetime(2000, 1, 1, tzinfo=UTC), end=datetime(2100, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="module", params=["fake", "sqlite", "postgresql"])
def opened(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Database | None]:
    if request.param == "fake":
        yield None
        return
    with Database.open(make_database(request.param)) as database:
        yield database


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def store(opened: Database | None, clock: FixedClock) -> MessageStore:
    def mask(turn: str) -> str:
        return turn.replace("13800138000", "[手机]")

    if opened is None:
        return MemoryMessages(mask=mask, keep_raw_text=True, clock=clock)
    empty(opened)
    sealer = AesSealer.load(KEY)
    return Messages(opened, mask=mask, sealer=sealer, keep_raw_text=True, clock=clock)


def empty(database: Database) -> None:
    database.transaction(lambda connection: connection.exec_driver_sql("DELETE FROM messages") and None)


def put(store: MessageStore, *labellings: Labelling, **fields: object) -> None:
    store.save([(message(entry.message_id, **fields), entry) for entry in labellings]).result(10)


def test_a_message_comes_back_whole_and_masked(store: MessageStore, clock: FixedClock) -> None:
    sent = datetime(2026, 3, 1, 20, 15, 30, 123456, tzinfo=timezone(timedelta(hours=8)))
    given = message(
        context=("客服: 您好", "顾客: 我的电话13800138000"),
        channel="app",
        customer_id="c-1",
        customer_tier="vip",
        product="净水器",
        region="华南",
        sent_at=sent,
        amount=599.5,
    )
    opinion = labelling()
    store.save([(given, opinion)]).result(10)

    stored = store.get("m-1")

    masked = ("客服: 您好", "顾客: 我的电话[手机]")
    assert stored.message == replace(given, text=opinion.masked_text, context=masked)
    assert (stored.received_at, stored.occurred_at) == (clock.now, sent)
    (kept,) = stored.labellings
    assert replace(kept, embedding=opinion.embedding) == replace(opinion, created_at=clock.now)
    assert np.allclose(kept.embedding, opinion.embedding, atol=1e-3)
    assert store.raw_text("m-1") == given.text


def test_an_id_sent_twice_is_stored_once(store: MessageStore) -> None:
    put(store, labelling(), labelling())
    put(store, labelling(intent="complaint"), text="别的话")

    (kept,) = store.get("m-1").labellings
    assert kept.labels.intent.label == "product_usage"
    assert store.models(ALWAYS) == {MODEL: 1}


def test_the_newest_labelling_is_the_current_one(store: MessageStore, clock: FixedClock) -> None:
    put(store, labelling(), customer_id="c-1")
    clock.advance(timedelta(days=1))
    put(store, labelling(intent="complaint", model=NEWER), customer_id="c-1")

    assert [entry.model for entry in store.get("m-1").labellings] == [NEWER, MODEL]
    history = store.histories(["c-1"], since=START)["c-1"]
    assert [(past.message_id, past.intent, past.at) for past in history.messages] == [("m-1", "complaint", START)]


def test_histories_hold_the_newest_messages_in_ascending_time(store: MessageStore) -> None:
    numbers = count()
    for customer in ("a", "b"):
        for hour in (5, 1, 3):
            put(store, labelling(f"m-{next(numbers)}"), customer_id=customer, sent_at=START + timedelta(hours=hour))

    found = store.histories(["a", "b", "a", "nobody"], since=START + timedelta(hours=2))

    assert sorted(found) == ["a", "b"]
    assert [past.at - START for past in found["a"].messages] == [timedelta(hours=3), timedelta(hours=5)]
    past = found["b"].messages[0]
    assert (past.sentiment, past.sentiment_score, past.flags) == ("negative", -0.5, ("repeat_contact",))
    assert store.histories([], since=START) == {}


def test_a_history_is_capped_at_the_newest(store: MessageStore) -> None:
    entries = [labelling(f"m-{i:03}") for i in range(230)]
    given = [
        (message(entry.message_id, customer_id="bot", sent_at=START + timedelta(minutes=i)), entry)
        for i, entry in enumerate(entries)
    ]
    store.save(given).result(10)

    for asked in (["bot"], ["bot", "nobody"]):
        past = store.histories(asked, since=START)["bot"].messages
        assert [past[0].message_id, past[-1].message_id, len(past)] == ["m-030", "m-229", 200]
    assert [entry.message.id for entry in store.customer("bot", limit=2)] == ["m-229", "m-228"]


def test_a_window_is_streamed_in_pages_of_one_model(store: MessageStore) -> None:
    for i in range(7):
        put(store, labelling(f"m-{i}"), sent_at=START + timedelta(hours=i % 4), product="净水器")
    put(store, labelling("m-0", model=NEWER, size=24))
    window = Window(start=START, end=START + timedelta(hours=3))

    pages = list(store.labelled(window, model=MODEL, page=2))

    ids = [entry.message_id for page in pages for entry in page.messages]
    assert sorted(ids) == ["m-0", "m-1", "m-2", "m-4", "m-5", "m-6"]
    times = [entry.occurred_at for page in pages for entry in page.messages]
    assert times == sorted(times)
    assert [page.embeddings.shape for page in pages] == [(2, 16)] * 3
    expected = labelling(ids[3]).embedding
    assert np.allclose(pages[1].embeddings[1], expected, atol=1e-3)
    assert pages[0].messages[0].product == "净水器"
    assert [len(page.messages) for page in store.labelled(window, model=NEWER)] == [1]
    assert store.models(window) == {MODEL: 6, NEWER: 1}


def test_equal_normalised_texts_share_a_hash(store: MessageStore) -> None:
    put(
        store,
        labelling("a", text="太慢了！！！！！！"),
        labelling("b", text="太慢了!!!"),
        labelling("c", text="太快了"),
    )

    (page,) = store.labelled(ALWAYS, model=MODEL)
    hashes = {entry.message_id: entry.text_hash for entry in page.messages}
    assert hashes["a"] == hashes["b"] != hashes["c"]


def test_characters_that_no_database_holds_are_replaced(store: MessageStore) -> None:
    text = "坏\x00字\ud800符"
    put(store, labelling(text=text), text=text.replace("\ud800", ""), context=("a\x00b",), region="x\x00")

    stored = store.get("m-1")
    assert stored.message.text in (text, "坏\ufffd字\ufffd符")
    assert len(stored.message.context[0]) == 3


def test_what_is_not_there_is_said_by_name(store: MessageStore) -> None:
    with pytest.raises(NotFound, match="'absent'"):
        store.get("absent")
    with pytest.raises(NotFound, match="'absent'"):
        store.customer("absent")
    with pytest.raises(NotFound, match="'absent'"):
        store.raw_text("absent")
    assert list(store.labelled(ALWAYS, model=MODEL)) == []
    store.save([]).result(10)


def test_stored_messages_stream_in_time_over_pages(store: MessageStore, clock: FixedClock) -> None:
    for day in (3, 1, 2):
        put(store, labelling(f"m-{day}"), sent_at=START + timedelta(days=day))
    found = list(store.stored(ALWAYS, page=2))
    assert [item.message.id for item in found] == ["m-1", "m-2", "m-3"]
    assert all(item.labellings[0].labels.intent.label == "product_usage" for item in found)
    assert list(store.stored(Window(start=START, end=START + timedelta(days=1)))) == []
