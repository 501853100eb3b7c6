"""Themes on real databases: mining, decisions that later runs keep, events in order, and counting at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from nlp_service.adapters.db.customers import Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.segmentation import Segmentation
from nlp_service.adapters.themes_index import ThemeIndex
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.labelling import ThemeMatch
from nlp_service.core.messages import Message
from nlp_service.core.stored import Window
from nlp_service.core.themes.values import Theme
from nlp_service.errors import Conflict, NotFound
from nlp_service.flows.mine import LEASE, Mine
from nlp_service.flows.steer import Steer
from nlp_service.testing import FixedClock
from tests.examples import MODEL, labelling
from tests.streams import Planted, draw

START = datetime(2026, 1, 5, tzinfo=UTC)
MANUAL = Planted(wordings=("说明书看不懂", "这个说明书写得看不懂啊", "看不懂说明书怎么装"), share=lambda _: 0.2)
SLOW = Planted(wordings=("快递一直不动", "我的快递怎么一直不动"), share=lambda _: 0.1, intent="delivery_delay")


class World:
    """A stored stream of four weeks and everything that works on it."""

    def __init__(self, database: Database) -> None:
        self.clock = FixedClock(START + timedelta(days=28))
        self.published: list[ThemeEvent] = []
        self.database = database
        self.messages = Messages(database, mask=lambda text: text)
        self.themes = Themes(
            database, publish=lambda _, event: self.published.append(event), clock=self.clock, public_url="http://h/"
        )
        self.steer = Steer(themes=self.themes, now=self.clock)
        self.mine = Mine(
            messages=self.messages,
            themes=self.themes,
            segment=Segmentation.load().words,
            routes={"product_usage": "tech_support", "delivery_delay": "logistics"},
            scope_threshold=0.9,
            now=self.clock,
            holder="test",
        )
        self.store(days=28, seed=1)

    def store(self, *, days: int, seed: int, start: datetime = START) -> None:
        stream = draw([MANUAL, SLOW], start=start, days=days, per_day=25, seed=seed)
        rows = []
        for number, (said, vector) in enumerate(zip(stream.messages, stream.embeddings, strict=True)):
            key = f"{seed}-{number}"
            message = Message(
                id=key, text=said.text, customer_id=said.customer_id, region=said.region, sent_at=said.occurred_at
            )
            opinion = replace(labelling(key, text=said.text, intent=said.intent, flags=()), embedding=vector, themes=())
            rows.append((message, opinion))
        self.messages.save(rows).result(60)

    def next_week(self) -> None:
        self.store(days=7, seed=int(self.clock().timestamp()), start=self.clock())
        self.clock.advance(timedelta(days=7))

    def found(self, word: str) -> Theme:
        return next(theme for theme in self.themes.themes() if word in theme.title)


@pytest.fixture(scope="module")
def world(database: Database) -> World:
    world = World(database)
    world.mine()
    return world


def test_a_run_stores_themes_members_numbers_and_events(world: World) -> None:
    theme = world.found("说明书")

    assert theme.measure is not None
    assert theme.measure.share.low <= 0.2 <= theme.measure.share.high
    assert world.themes.timeline(theme.id)[-1] == theme.measure
    assert "说明书" in world.themes.heard(theme.id, limit=5)[0].text
    kinds = {event.kind for event in world.themes.events(theme_id=theme.id)}
    assert kinds == {"new"}
    assert {event.id for event in world.published} == {event.id for event in world.themes.events()}
    live = world.themes.live(theme.measure.window)[theme.id]
    assert live.messages == theme.measure.messages


def test_a_message_classified_now_is_matched_and_counts_at_once(world: World) -> None:
    theme = world.found("说明书")
    index = ThemeIndex(world.themes)
    index.start(MODEL)
    try:
        stream = draw([MANUAL], start=world.clock(), days=1, per_day=40, seed=77)
        row = stream.truth.index(0)
        opinion = replace(labelling("now-1", text="说明书看不懂"), embedding=stream.embeddings[row], themes=())
        matched = index.match(opinion)
        assert matched[0].theme_id == theme.id
        world.messages.save([(Message(id="now-1", text="说明书看不懂"), replace(opinion, themes=matched))]).result(10)
        assert "now-1" in {entry.message_id for entry in world.themes.heard(theme.id, limit=500)}
        small_talk = replace(
            opinion, labels=replace(opinion.labels, intent=replace(opinion.labels.intent, label="smalltalk"))
        )
        assert index.match(small_talk) == ()
    finally:
        index.close()


def test_what_people_decide_survives_the_next_run(world: World) -> None:
    manual, slow = world.found("说明书"), world.found("快递")
    world.steer.rename(manual.id, title="说明书难懂", by="li")
    world.steer.dismiss(slow.id, by="li", why="known")
    world.next_week()

    events = world.mine().events

    assert world.themes.get(manual.id).title == "说明书难懂"
    assert world.themes.get(slow.id).state == "dismissed"
    assert slow.id not in {event.theme_id for event in events}
    world.steer.restore(slow.id, by="li")
    assert world.themes.get(slow.id).state == "active"


def test_a_merged_theme_counts_as_the_other_also_after_a_run(world: World) -> None:
    manual, slow = world.found("说明书"), world.found("快递")
    world.steer.merge(slow.id, into=manual.id, by="li")
    world.next_week()
    world.mine()

    assert world.themes.get(slow.id).merged_into == manual.id
    assert any("快递" in entry.text for entry in world.themes.heard(manual.id, limit=500))
    with pytest.raises(Conflict, match="merged into"):
        world.steer.fix(slow.id, by="li")
    world.steer.restore(slow.id, by="li")
    world.mine()
    assert any("快递" in entry.text for entry in world.themes.heard(slow.id))


def test_a_decision_taken_during_a_run_wins(world: World) -> None:
    manual = world.found("说明书")
    read_at = world.clock()
    before = world.themes.before(MODEL, Window(start=START, end=world.clock()))
    run = world.mine().mined
    world.clock.advance(timedelta(seconds=1))
    world.steer.acknowledge(manual.id, by="chen")

    world.themes.commit(replace(run, themes=before.themes), read_at=read_at)

    assert world.themes.get(manual.id).acknowledged_by == "chen"


def test_only_one_replica_mines(world: World) -> None:
    assert world.themes.acquire(LEASE, holder="other", until=world.clock() + timedelta(minutes=1))
    with pytest.raises(Conflict, match="being mined"):
        world.mine()
    world.clock.advance(timedelta(minutes=2))
    world.mine()


def test_a_removed_customer_leaves_no_quote(world: World) -> None:
    theme = world.found("说明书")
    quote = theme.name.quotes[0]
    customer = world.messages.get(quote.message_id).message.customer_id
    assert customer is not None

    Customers(world.database).erase(customer, by="dpo")

    assert quote.text not in [left.text for left in world.themes.get(theme.id).name.quotes]
    assert all(quote.text not in event.quotes for event in world.themes.events(limit=1000))


def test_an_unknown_theme_is_named(world: World) -> None:
    with pytest.raises(NotFound, match="thm_none"):
        world.themes.get("thm_none")


def test_no_theme_without_a_run() -> None:
    class Empty:
        def index(self, _model: object) -> None:
            return None

        def revision(self) -> tuple[int, None]:
            return 0, None

    index = ThemeIndex(Empty())
    found: tuple[ThemeMatch, ...] = index.match(replace(labelling(), embedding=np.ones(4, dtype=np.float32)))
    assert found == ()
