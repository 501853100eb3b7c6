"""Keys, audit log, retention, encryption and the rights of a customer, on both databases."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import Connection, LargeBinary, insert, select, text

from nlp_service.adapters.db.audit import AuditLog
from nlp_service.adapters.db.customers import PERSONAL_TABLES, Customers
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.retention import EXPIRIES, Retention
from nlp_service.adapters.db.rotation import SEALED, rotate
from nlp_service.adapters.db.tables import (
    messages,
    metadata,
    outbox,
)
from nlp_service.adapters.sealing import AesSealer
from nlp_service.core.access import Scope
from nlp_service.core.audit import AuditEntry, pseudonym
from nlp_service.core.retention import RetentionRules
from nlp_service.errors import ConfigurationError, InputError, NotFound, Unauthenticated
from nlp_service.testing import START, FixedClock
from tests.examples import labelling, message

NOT_OF_CUSTOMERS = {"deliveries": "its message_id is the receiver's idempotency key"}
OLD, NEW = (base64.b64encode(bytes(range(i, i + 32))).decode() for i in (0, 1))


@pytest.fixture(params=["sqlite", "postgresql"])
def fresh(request: pytest.FixtureRequest, make_database: Callable[[str], str]) -> Iterator[Database]:
    with Database.open(make_database(request.param)) as database:
        yield database


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


def entry(subject: str = "thing", **detail: str | int) -> AuditEntry:
    return AuditEntry(at=START, actor="key abc", action="thing.change", subject=subject, detail=detail)


class TestKeys:
    def test_a_key_opens_until_it_is_revoked(self, fresh: Database, clock: FixedClock) -> None:
        keys = Keys(fresh, clock=clock)
        assert not keys.any_open()
        key, token = keys.create(name="hub", scopes={Scope.CLASSIFY}, departments={"quality"}, by="local")

        principal = keys.authenticate(token)
        assert (principal.id, principal.scopes, principal.departments) == (f"key {key.id}", {"classify"}, {"quality"})
        assert keys.any_open()
        assert keys.all() == (key,)

        keys.revoke(key.id, by="local")
        with pytest.raises(Unauthenticated, match=f"API key {key.id} was revoked"):
            keys.authenticate(token)
        assert not keys.any_open()

    def test_the_secret_is_nowhere_in_the_database(self, fresh: Database) -> None:
        _, token = Keys(fresh).create(name="hub", scopes={Scope.CLASSIFY}, by="local")
        secret = token.split("_", 2)[2]  # the secret itself may hold underscores

        def dump(connection: Connection) -> str:
            return str([connection.execute(select(table)).all() for table in metadata.sorted_tables])

        assert secret not in fresh.read(dump)

    def test_expiry_and_rotation_follow_the_clock(self, fresh: Database, clock: FixedClock) -> None:
        keys = Keys(fresh, clock=clock)
        key, token = keys.create(name="hub", scopes={Scope.CLASSIFY}, by="local", expires_at=START + timedelta(days=30))
        newer, second = keys.rotate(key.id, by="local", overlap=timedelta(days=1))
        assert newer.scopes == key.scopes
        assert keys.authenticate(token).id != keys.authenticate(second).id
        clock.advance(timedelta(days=2))
        with pytest.raises(Unauthenticated, match="was revoked"):
            keys.authenticate(token)
        clock.advance(timedelta(days=30))
        with pytest.raises(Unauthenticated, match="expired"):
            keys.authenticate(second)

    @pytest.mark.parametrize("token", ["", "nls", "nls__", "nls_unknown_secret", "other_a_b", "nls_" + "x" * 5000])
    def test_nonsense_is_refused_alike(self, fresh: Database, token: str) -> None:
        with pytest.raises(Unauthenticated, match="the API key is unknown"):
            Keys(fresh).authenticate(token)

    def test_a_wrong_secret_is_refused(self, fresh: Database) -> None:
        keys = Keys(fresh)
        _, token = keys.create(name="hub", scopes={Scope.CLASSIFY}, by="local")
        with pytest.raises(Unauthenticated, match="the API key is unknown"):
            keys.authenticate(token[:-1] + ("A" if token[-1] != "A" else "B"))

    def test_a_key_that_could_open_nothing_is_refused(self, fresh: Database, clock: FixedClock) -> None:
        keys = Keys(fresh, clock=clock)
        with pytest.raises(InputError, match="no scope"):
            keys.create(name="hub", scopes=(), by="local")
        with pytest.raises(InputError, match="in the past"):
            keys.create(name="hub", scopes={Scope.READ}, by="local", expires_at=START)
        with pytest.raises(NotFound, match="'absent'"):
            keys.revoke("absent", by="local")

    def test_every_change_is_told(self, fresh: Database) -> None:
        keys = Keys(fresh)
        key, _ = keys.create(name="hub", scopes={Scope.CLASSIFY}, by="key boss")
        keys.revoke(key.id, by="key boss")
        keys.revoke(key.id, by="key boss")
        told = AuditLog(fresh).entries(subject=f"key {key.id}")
        assert [(one.entry.action, one.entry.actor) for one in told] == [
            ("key.revoke", "key boss"),
            ("key.create", "key boss"),
        ]


class TestAuditLog:
    def test_entries_form_a_chain_over_many_writers(self, fresh: Database, request: pytest.FixtureRequest) -> None:
        log = AuditLog(fresh)
        with ThreadPoolExecutor(8) as pool:
            sequences = list(pool.map(lambda i: log.record(entry(f"s-{i}", n=i)).result(30).sequence, range(40)))
        assert sorted(sequences) == list(range(1, 41))
        verdict = log.verify()
        assert (verdict.entries, verdict.broken_at) == (40, None)
        newest = log.entries(limit=2)
        assert [one.sequence for one in newest] == [40, 39]
        assert verdict.head == newest[0].hash
        assert [one.sequence for one in log.entries(before=39, limit=1)] == [38]

    @pytest.mark.parametrize("change", ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"])
    def test_the_database_refuses_changes(self, fresh: Database, change: str) -> None:
        log = AuditLog(fresh)
        log.record(entry()).result(30)
        with pytest.raises(Exception, match="append-only"):
            fresh.transaction(lambda connection: connection.execute(text(change)) and None)
        assert log.verify().entries == 1

    def test_a_change_behind_the_back_of_the_database_shows(self, fresh: Database) -> None:
        log = AuditLog(fresh)
        for i in range(3):
            log.record(entry(n=i)).result(30)

        def forge(connection: Connection) -> None:
            if connection.dialect.name == "sqlite":
                connection.execute(text("DROP TRIGGER audit_log_fixed"))
            else:
                connection.execute(text("ALTER TABLE audit_log DISABLE TRIGGER ALL"))
            connection.execute(text("UPDATE audit_log SET actor = 'nobody' WHERE sequence = 2"))

        fresh.transaction(forge)
        verdict = log.verify()
        assert (verdict.entries, verdict.broken_at, verdict.reason) == (1, 2, "entry 2 was changed")

    def test_what_cannot_be_stored_still_verifies(self, fresh: Database) -> None:
        log = AuditLog(fresh)
        log.record(entry("a\x00b\ud800", body="c\x00")).result(30)
        assert log.verify().broken_at is None


class TestRetention:
    def test_what_was_kept_long_enough_goes_and_is_told(self, fresh: Database, clock: FixedClock) -> None:
        store = Messages(fresh, mask=str, sealer=AesSealer.load(NEW), keep_raw_text=True, clock=clock)
        for key, age in (("old", 100), ("middle", 40), ("new", 1)):
            clock.now = START - timedelta(days=age)
            store.save([(message(key), labelling(key))]).result(30)
        clock.now = START

        rules = RetentionRules(days={"messages": 90, "raw_text": 30})
        assert Retention(fresh, clock=clock).run(rules) == {"raw_text": 2, "messages": 1}

        with pytest.raises(NotFound):
            store.get("old")
        assert store.raw_text("middle") is None
        assert store.raw_text("new") == message("new").text
        assert fresh.read(lambda connection: connection.execute(text("SELECT count(*) FROM labellings")).scalar()) == 2
        told = {one.entry.subject: one.entry.detail["rows"] for one in AuditLog(fresh).entries()}
        assert told == {"messages": 1, "raw_text": 2}
        assert Retention(fresh, clock=clock).run(rules) == {"raw_text": 0, "messages": 0}

    def test_a_shortened_audit_log_still_verifies(self, fresh: Database, clock: FixedClock) -> None:
        log = AuditLog(fresh)
        for years in (5, 4, 1, 4, 0):  # the clock once jumped: what stands behind a newer entry stays
            old = AuditEntry(at=START - timedelta(days=365 * years), actor="a", action="b", subject=f"{years}")
            log.record(old).result(30)
        rules = RetentionRules(days={"audit_log": 3 * 365})

        assert Retention(fresh, clock=clock).run(rules) == {"audit_log": 2}
        verdict = log.verify()
        assert (verdict.entries, verdict.broken_at) == (4, None)
        assert log.record(entry()).result(30).sequence == 7

    def test_rules_are_checked(self, fresh: Database) -> None:
        with pytest.raises(ConfigurationError, match="at least 1095"):
            RetentionRules(days={"audit_log": 30})
        with pytest.raises(ConfigurationError, match="at least 1"):
            RetentionRules(days={"messages": 0})
        with pytest.raises(ConfigurationError, match=r"names socks: choose from audit_log, .*messages"):
            Retention(fresh).run(RetentionRules(days={"socks": 3}))


def test_rotation_seals_again_under_the_newest_key(fresh: Database) -> None:
    store = Messages(fresh, mask=str, sealer=AesSealer.load(OLD), keep_raw_text=True)
    store.save([(message(f"m-{i:03}"), labelling(f"m-{i:03}")) for i in range(250)]).result(30)

    assert rotate(fresh, AesSealer.load(f"{NEW},{OLD}")) == 250
    assert rotate(fresh, AesSealer.load(f"{NEW},{OLD}")) == 0

    assert Messages(fresh, mask=str, sealer=AesSealer.load(NEW)).raw_text("m-007") == message().text


def test_every_sealed_column_is_rotated() -> None:
    not_sealed = {"api_keys.secret_hash": "a hash", "theme_spaces.origin": "a vector"}
    rotated = {str(sealed.value) for sealed in SEALED}
    binary = {
        str(column)
        for table in metadata.sorted_tables
        for column in table.columns
        if isinstance(column.type, LargeBinary)
    }
    assert binary - set(not_sealed) == rotated, "add these to nlp_service/adapters/db/rotation.py"


class TestCustomers:
    @pytest.fixture
    def stored(self, fresh: Database) -> Database:
        store = Messages(fresh, mask=str, sealer=AesSealer.load(NEW), keep_raw_text=True)
        store.save([(message(f"m-{i}", customer_id="王"), labelling(f"m-{i}")) for i in range(1200)]).result(30)
        store.save([(message("other", customer_id="李"), labelling("other"))]).result(30)
        return fresh

    def test_removal_leaves_only_the_proof_of_it(self, stored: Database) -> None:
        customers = Customers(stored)
        assert customers.erase("王", by="key abc").messages == 1200
        with pytest.raises(NotFound, match="'王'"):
            customers.erase("王", by="key abc")

        left = stored.read(lambda connection: list(connection.execute(select(messages.c.id)).scalars()))
        assert left == ["other"]
        dump = stored.read(
            lambda connection: str([connection.execute(select(table)).all() for table in metadata.sorted_tables])
        )
        assert "王" not in dump
        assert customers.erased_among(["m-7", "m-1199", "other", "unknown"]) == {"m-7", "m-1199"}
        told = AuditLog(stored).entries(subject=pseudonym("customer", "王"))
        assert sum(int(one.entry.detail["messages"] or 0) for one in told) == 1200
        assert {one.entry.actor for one in told} == {"key abc"}

    def test_quotes_go_from_events_that_were_sent(self, stored: Database) -> None:
        text = labelling().masked_text
        quotes = [{"message_id": "m-3", "text": "短"}, {"message_id": "z", "text": "别人说的"}, text, "别人说的"]
        row = {"event_id": "e", "theme_id": "t", "kind": "new", "created_at": START, "matched": 0}
        stored.transaction(lambda c: c.execute(insert(outbox).values(document={"quotes": quotes}, **row)) and None)
        before = Customers(stored).export("王", by="key abc")
        assert "outbox" not in before

        Customers(stored).erase("王", by="key abc")

        left = stored.read(lambda connection: connection.execute(select(outbox.c.document)).scalar_one())
        assert left == {"quotes": [{"message_id": "z", "text": "别人说的"}, "别人说的"]}

    def test_export_holds_everything_and_is_told(self, stored: Database) -> None:
        export = Customers(stored, sealer=AesSealer.load(NEW)).export("王", by="key abc")
        assert (len(export["messages"]), len(export["labellings"])) == (1200, 1200)
        assert export["messages"][0]["raw_text"] == message().text
        assert export["labellings"][0]["intent"] == "product_usage"
        assert AuditLog(stored).entries(limit=1)[0].entry.action == "customer.export"
        with pytest.raises(NotFound, match="'张'"):
            Customers(stored).export("张", by="key abc")


def test_every_table_with_data_of_a_customer_is_in_the_registry() -> None:
    """Whoever adds a table that names a message or a customer adds its removal and export too."""
    registered = {personal.table.name: personal for personal in PERSONAL_TABLES}
    forgotten = []
    for table in metadata.sorted_tables:
        if table.name in {"messages", *NOT_OF_CUSTOMERS} or not {"message_id", "customer_id"} & set(table.c.keys()):
            continue
        goes_along = any(key.column.table is messages and key.ondelete == "CASCADE" for key in table.foreign_keys)
        personal = registered.get(table.name)
        if personal is None or (personal.erase is None and not goes_along):
            forgotten.append(table.name)
    assert forgotten == [], "add these to nlp_service/adapters/db/customers.py"
    assert set(EXPIRIES) >= {"messages", "raw_text"}
