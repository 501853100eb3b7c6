"""Encryption at rest: AES-256-GCM under a key of the operator, with rotation.

A sealed value is: format (1 byte) | key id (4 bytes) | nonce (12 bytes) | ciphertext and tag. What the value belongs
to is authenticated with it, so that a sealed value moved to another row does not open. Nonces are random: replace a
key long before 2**32 values were sealed under it (NIST SP 800-38D, 8.3).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nlp_service.errors import ConfigurationError, StorageUnavailable

_FORMAT = b"\x01"
_ID = slice(1, 5)
_NONCE = slice(5, 17)
_BODY = slice(17, None)
_KEY_BYTES = 32
_MAKE_ONE = "make one with `openssl rand -base64 32`"


class AesSealer:
    """ports.Sealer; seals under the newest key and opens under any of them."""

    def __init__(self, keys: Mapping[bytes, AESGCM]) -> None:
        self._keys = keys  # by key id, newest first

    @classmethod
    def load(cls, keys: str | None, *, file: Path | None = None) -> Self:
        """Take keys from a setting or, without one, from a file: base64 of 32 bytes, newest first, by comma or line.

        Raises:
            ConfigurationError: no key, or one that is not 32 bytes; it is named by its place, never shown.
        """
        raw = _read(keys, file)
        return cls({_key_id(key): AESGCM(key) for key in raw})

    def seal(self, plain: bytes, *, belongs_to: str) -> bytes:
        """Encrypt under the newest key."""
        key_id, cipher = next(iter(self._keys.items()))
        nonce = os.urandom(12)
        return _FORMAT + key_id + nonce + cipher.encrypt(nonce, plain, belongs_to.encode())

    def open(self, sealed: bytes, *, belongs_to: str) -> bytes:
        """Decrypt.

        Raises:
            ConfigurationError: the key it was sealed under is not configured any more.
            StorageUnavailable: the value was changed, cut or belongs to something else.
        """
        cipher = self._keys.get(sealed[_ID])
        if cipher is None:
            known = ", ".join(key_id.hex() for key_id in self._keys)
            raise ConfigurationError(
                f"{belongs_to} was sealed under key {sealed[_ID].hex()}, configured are {known}: "
                "add the old key behind the newest one"
            )
        try:
            return cipher.decrypt(sealed[_NONCE], sealed[_BODY], belongs_to.encode())
        except (InvalidTag, ValueError) as exc:
            detail = f"sealed value of {belongs_to} is damaged or belongs elsewhere: restore it from a backup"
            raise StorageUnavailable(detail) from exc

    def is_current(self, sealed: bytes) -> bool:
        """Tell whether a value is sealed under the newest key; others wait for `nlp-service keys rotate-encryption`."""
        return sealed[:1] == _FORMAT and sealed[_ID] == next(iter(self._keys))

    def __repr__(self) -> str:
        return f"AesSealer({len(self._keys)} keys)"


def derive_keys(keys: str | None, *, file: Path | None = None, purpose: str) -> tuple[bytes, ...]:
    """Return a signing key for a purpose from each encryption key, newest first (HKDF, RFC 5869)."""
    return tuple(
        HKDF(algorithm=SHA256(), length=_KEY_BYTES, salt=None, info=purpose.encode()).derive(key)
        for key in _read(keys, file)
    )


def _read(keys: str | None, file: Path | None) -> list[bytes]:
    if keys is None and file is not None:
        try:
            keys = file.read_text(encoding="ascii")
        except (OSError, ValueError) as exc:
            raise ConfigurationError(f"encryption key file {file} cannot be read: {exc}") from exc
    given = [part.strip() for part in (keys or "").replace("\n", ",").split(",") if part.strip()]
    if not given:
        raise ConfigurationError(f"no encryption key is set: {_MAKE_ONE} and set NLP_SERVICE_ENCRYPTION_KEY")
    return [_key(part, f"encryption key {place} of {len(given)}") for place, part in enumerate(given, start=1)]


def _key(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigurationError(f"{name} is not base64: {_MAKE_ONE}") from None
    if len(key) != _KEY_BYTES:
        raise ConfigurationError(f"{name} has {len(key)} bytes, needs {_KEY_BYTES}: {_MAKE_ONE}")
    return key


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"nlp-service key id" + key).digest()[:4]
