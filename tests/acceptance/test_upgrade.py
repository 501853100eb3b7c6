"""The schema moves forward under load from the first released one: nothing stored is lost, writers wait or are told."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import bindparam, text

from nlp_service.adapters.db import documents, engines
from nlp_service.adapters.db.columns import Document, Embedding, Instant
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.migrations import current, head, migrate
from tests.examples import labelling

RELEASED = "0007"  # the schema of the release before
OLD = 400
AT = datetime(2026, 3, 2, 9, tzinfo=UTC)

# What the release before wrote, in its own words: only columns that its schema has.
_MESSAGE = text(
    "INSERT INTO messages (id, text, context, customer_id, received_at, occurred_at, text_hash, language)"
    " VALUES (:id, :text, :context, :customer, :at, :at, :id, 'zh')"
).bindparams(bindparam("at", type_=Instant), bindparam("context", type_=Document))
_LABELLING = text(
    "INSERT INTO labellings (message_id, model_name, model_version, created_at, occurred_at, intent, intent_confidence,"
    " sentiment, sentiment_score, emotion, flags, urgency, language, script, priority, respond_within_minutes,"
    " department, needs_human, out_of_scope, document, embedding)"
    " VALUES (:id, 'feedback', '0.2.0', :at, :at, 'delivery_delay', 0.9, 'negative', -0.5, 'anger', :flags, 'normal',"
    " 'zh', 'Hans', 'normal', 60, 'logistics', :no, 0.0, :document, :embedding)"
).bindparams(
    bindparam("at", type_=Instant),
    bindparam("flags", type_=Document),
    bindparam("document", type_=Document),
    bindparam("embedding", type_=Embedding),
)


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_schema_moves_forward_while_messages_arrive(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest, make_database: Callable[[str], str]
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if kind == "postgresql":
        url = request.getfixturevalue("postgres_databases").create(empty=True)
    assert migrate(url, target=RELEASED) == RELEASED
    writer = OldWriter(url)
    for number in range(OLD):
        writer.write(f"old-{number}")

    with writer:
        writer.wait_for(5)
        reached = [Upgrade(url), Upgrade(url)]  # two replicas of the new release start together
        for upgrade in reached:
            upgrade.join(120)
        writer.wait_for(5)

    assert [upgrade.outcome for upgrade in reached] == [head(), head()]
    assert current(url) == head()
    with Database.open(url) as database:
        stored = database.read(lambda connection: set(connection.execute(text("SELECT id FROM messages")).scalars()))
        assert set(writer.acknowledged) <= stored
        kept = Messages(database, mask=str).get("old-7")
        assert kept.message.text == "text of old-7"
        assert kept.labellings[0].route.department == "logistics"


class OldWriter:
    """A process of the release before that goes on writing during the upgrade, and tries again when it is refused."""

    def __init__(self, url: str) -> None:
        self._engine = engines.writing_engine(engines.parse(url))
        self.acknowledged: list[str] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> OldWriter:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)
        self._engine.dispose()

    def wait_for(self, more: int, seconds: float = 60) -> None:
        end, before = time.monotonic() + seconds, len(self.acknowledged)
        while len(self.acknowledged) < before + more:
            assert time.monotonic() < end
            time.sleep(0.01)

    def write(self, key: str) -> None:
        at = AT + timedelta(seconds=len(self.acknowledged))
        said = labelling(key, text=f"text of {key}", department="logistics")
        values = {
            "id": key, "text": said.masked_text, "context": [], "customer": "c-1", "at": at, "flags": [], "no": False,
            "document": documents.encode(said), "embedding": said.embedding,
        }  # fmt: skip
        with self._engine.begin() as connection:
            connection.execute(_MESSAGE, values)
            connection.execute(_LABELLING, values)
        self.acknowledged.append(key)

    def _run(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                self.write(f"during-{number}")
            except Exception:  # refused while tables are changed: a hub sends again
                self._stop.wait(0.05)


class Upgrade(threading.Thread):
    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self._url = url
        self.outcome: object = None
        self.start()

    def run(self) -> None:
        try:
            self.outcome = migrate(self._url)
        except Exception as exc:
            self.outcome = exc
