"""The known identifier that an unknown word most likely means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches

LEAST = 0.6  # likeness below which a guess would mislead


def nearest(word: str, known: Iterable[str], names: Mapping[str, Mapping[str, str]] | None = None) -> str | None:
    """Return the identifier most like ``word``, None where none is like it.

    Args:
        word: what was written, an identifier or a display name.
        known: the identifiers to choose from.
        names: identifier -> language -> display name, compared too.
    """
    found = likest(word, known, names)
    return found[0] if found is not None else None


def likest(
    word: str, known: Iterable[str], names: Mapping[str, Mapping[str, str]] | None = None
) -> tuple[str, float] | None:
    """Return the identifier most like ``word`` and how like it is, 0 to 1."""
    spellings: dict[str, str] = {}
    for identifier in known:
        spellings.setdefault(_plain(identifier), identifier)
        for name in (names or {}).get(identifier, {}).values():
            spellings.setdefault(_plain(name), identifier)
    written = _plain(word)
    close = get_close_matches(written, spellings, n=1, cutoff=LEAST)
    if not close:
        return None
    return spellings[close[0]], SequenceMatcher(None, close[0], written).ratio()


def _plain(word: str) -> str:
    return "".join(char for char in word.casefold() if char.isalnum())
