from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.audit import GENESIS, AuditEntry, ChainedEntry, chain_hash, pseudonym, verify

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ENTRIES = st.builds(
    AuditEntry,
    at=st.datetimes(timezones=st.just(UTC)),
    actor=WORDS,
    action=WORDS,
    subject=WORDS,
    detail=st.dictionaries(WORDS, WORDS | st.integers() | st.booleans() | st.none(), max_size=2),
)


def chain(entries: list[AuditEntry]) -> list[ChainedEntry]:
    chained: list[ChainedEntry] = []
    for entry in entries:
        previous = chained[-1].hash if chained else GENESIS
        sequence = len(chained) + 1
        chained.append(ChainedEntry(sequence=sequence, entry=entry, hash=chain_hash(previous, sequence, entry)))
    return chained


@given(st.lists(ENTRIES, max_size=6), st.data())
def test_a_chain_holds_and_so_does_its_rest(entries: list[AuditEntry], data: st.DataObject) -> None:
    whole = chain(entries)
    assert verify(whole).broken_at is None
    assert verify(whole).entries == len(whole)
    cut = data.draw(st.integers(0, len(whole)))
    previous = whole[cut - 1].hash if cut else GENESIS
    assert verify(whole[cut:], after=cut, previous=previous).head == verify(whole).head


@given(st.lists(ENTRIES, min_size=2, max_size=6), st.data())
def test_a_missing_entry_shows(entries: list[AuditEntry], data: st.DataObject) -> None:
    whole = chain(entries)
    lost = data.draw(st.integers(0, len(whole) - 2))
    verdict = verify(whole[:lost] + whole[lost + 1 :])
    assert (verdict.broken_at, verdict.reason) == (lost + 1, f"entry {lost + 1} is missing")


@given(st.lists(ENTRIES, min_size=1, max_size=6), st.data(), ENTRIES)
def test_a_changed_entry_shows(entries: list[AuditEntry], data: st.DataObject, other: AuditEntry) -> None:
    whole = chain(entries)
    place = data.draw(st.integers(0, len(whole) - 1))
    if other == whole[place].entry:
        return
    whole[place] = replace(whole[place], entry=other)
    assert verify(whole).broken_at == place + 1


def test_a_pseudonym_is_stable_and_tells_nothing() -> None:
    assert pseudonym("customer", "王小明") == pseudonym("customer", "王小明")
    assert pseudonym("customer", "王小明") != pseudonym("message", "王小明").replace("message", "customer")
    assert "王" not in pseudonym("customer", "王小明")


def test_details_are_plain_values() -> None:
    entry = AuditEntry(at=datetime(2026, 1, 1, tzinfo=UTC), actor="a", action="b", subject="c")
    assert len(chain_hash(GENESIS, 1, entry)) == 64
    with pytest.raises(TypeError):
        chain_hash(GENESIS, 1, replace(entry, detail={"when": entry.at}))  # type: ignore[dict-item]
