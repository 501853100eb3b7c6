from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.adapters.sealing import AesSealer
from nlp_service.errors import ConfigurationError, StorageUnavailable

OLD = base64.b64encode(bytes(range(32))).decode()
NEW = base64.b64encode(bytes(range(1, 33))).decode()


@given(st.binary(max_size=200), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_what_was_sealed_opens_again(plain: bytes, owner: str) -> None:
    sealer = AesSealer.load(NEW)
    sealed = sealer.seal(plain, belongs_to=owner)
    assert sealer.open(sealed, belongs_to=owner) == plain
    assert len(sealed) == len(plain) + 33
    assert sealer.seal(plain, belongs_to=owner) != sealed


@given(st.binary(min_size=1, max_size=50), st.data())
def test_any_changed_byte_is_noticed(plain: bytes, data: st.DataObject) -> None:
    sealer = AesSealer.load(NEW)
    sealed = bytearray(sealer.seal(plain, belongs_to="message 'm'"))
    sealed[data.draw(st.integers(1, len(sealed) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises((StorageUnavailable, ConfigurationError)):
        sealer.open(bytes(sealed), belongs_to="message 'm'")


def test_a_value_opens_only_where_it_belongs() -> None:
    sealer = AesSealer.load(NEW)
    with pytest.raises(StorageUnavailable, match="message 'b' is damaged or belongs elsewhere"):
        sealer.open(sealer.seal(b"text", belongs_to="message 'a'"), belongs_to="message 'b'")
    with pytest.raises((StorageUnavailable, ConfigurationError)):
        sealer.open(sealer.seal(b"text", belongs_to="m")[:12], belongs_to="m")


def test_rotation_keeps_old_values_readable(tmp_path: Path) -> None:
    sealed = AesSealer.load(OLD).seal(b"text", belongs_to="m")
    file = tmp_path / "keys"
    file.write_text(f"{NEW}\n{OLD}\n")
    rotated = AesSealer.load(None, file=file)
    assert rotated.open(sealed, belongs_to="m") == b"text"
    assert not rotated.is_current(sealed)
    assert rotated.is_current(rotated.seal(b"text", belongs_to="m"))
    with pytest.raises(ConfigurationError, match="add the old key behind"):
        AesSealer.load(NEW).open(sealed, belongs_to="m")


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        (None, "no encryption key"),
        (" , ", "no encryption key"),
        (f"{NEW},c2VjcmV0", "key 2 of 2 has 6 bytes"),
        ("not base64!", "key 1 of 1 is not base64"),
    ],
)
def test_a_wrong_key_is_named_by_its_place_and_never_shown(keys: str | None, complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint) as caught:
        AesSealer.load(keys)
    assert "c2VjcmV0" not in str(caught.value)
    assert NEW not in repr(AesSealer.load(NEW))
