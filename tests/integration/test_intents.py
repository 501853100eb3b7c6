"""Labels that people change, on real databases: provisional intents, renames and merges, each told to the audit log."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.folding import Folding
from nlp_service.adapters.db.intents import Intents
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.reports import Reports
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.label_moves import MERGE, RENAME
from nlp_service.core.messages import Message
from nlp_service.core.stored import Window
from nlp_service.errors import Conflict, InputError, NotFound
from nlp_service.flows.change_intents import ChangeIntents
from nlp_service.testing import FixedClock
from tests.examples import labelling

AT = datetime(2031, 3, 3, 10, tzinfo=UTC)  # a time of its own: the database is shared
EXAMPLES = [f"可以帮我包成礼物吗，电话1380013800{number}" for number in range(9)]


@pytest.fixture
def intents(database: Database, taxonomy: Taxonomy) -> ChangeIntents:
    return ChangeIntents(
        store=Intents(database),
        taxonomy=lambda: taxonomy,
        mask=lambda text: text[:9],
        now=FixedClock(AT),
    )


def test_an_intent_is_added_once_and_removed(database: Database, intents: ChangeIntents) -> None:
    given = {"names": {"zh": "礼品包装"}, "group": "promotion", "department": "presales", "by": "wang"}
    varied = [f"{number}{text}" for number, text in enumerate(EXAMPLES)]
    before = intents.store.revision()
    added = intents.add("gift_wrap", examples=varied, **given)  # type: ignore[arg-type]
    assert intents.store.revision() != before
    assert intents.store.provisional() == (added,)
    assert all(len(text) == 9 for text in added.examples), "masked"
    with pytest.raises(Conflict, match="exists already"):
        intents.add("gift_wrap", examples=varied, **given)  # type: ignore[arg-type]
    with pytest.raises(Conflict, match="trained already"):
        intents.add("praise", examples=varied, **given)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="give 8 to 50"):
        intents.add("other_one", examples=varied[:7], **given)  # type: ignore[arg-type]
    intents.remove("gift_wrap", by="wang")
    with pytest.raises(NotFound):
        intents.remove("gift_wrap", by="wang")
    actions = [entry.entry.action for entry in AuditLog(database).entries(subject="gift_wrap")]
    assert actions == ["intent.remove", "intent.add"]


@pytest.mark.parametrize("folded", [False, True])
def test_moves_reach_stored_labellings_and_counts(database: Database, intents: ChangeIntents, folded: bool) -> None:
    old, new = ("policy_info", "promotion") if folded else ("security", "account_access")
    rows = []
    for number, intent in enumerate([old, old, new]):
        key = f"move-{folded}-{number}"
        rows.append((Message(id=key, text="x", sent_at=AT), labelling(key, text="x", intent=intent)))
    messages = Messages(database, mask=lambda text: text)
    messages.save(rows).result()
    if folded:
        Folding(database).run()
    assert intents.move(MERGE, old, new, why="the same team", by="wang") >= 2
    if not folded:
        Folding(database).run()
    counted = counts(database)
    assert counted.get(old, 0) == 0
    assert counted[new] == 3
    with pytest.raises(NotFound):
        intents.move(RENAME, old, "another_name", why="", by="wang")


def counts(database: Database) -> dict[str, int]:
    window = Window(start=AT - timedelta(days=1), end=AT + timedelta(days=1))
    found: dict[str, int] = {}
    for count in Reports(database).intents(window):
        found[count.value] = found.get(count.value, 0) + count.messages
    return found
