"""One key per label on the review page, the same ones every day."""

from __future__ import annotations

import string
from collections.abc import Iterator

from nlp_service.contract.taxonomy import Taxonomy

NEXT, PREVIOUS, HELP = "j", "k", "?"
NO_FLAGS = "none"  # the choice that says that no flag applies
_LETTERS = [key for key in string.ascii_letters if key not in (NEXT, PREVIOUS)]


def keys_of(taxonomy: Taxonomy) -> dict[tuple[str, str], str]:
    """Return (field, label) -> key; a label beyond the keys that there are is absent and is chosen by pointing.

    Sentiments take the first digits, priorities the next, intents letters in the order of the taxonomy, and emotions
    and flags what is left.
    """
    digits, letters = iter("1234567890-="), iter(_LETTERS)
    keys: dict[tuple[str, str], str] = {}
    _deal(keys, "sentiment", tuple(taxonomy.sentiments), digits)
    _deal(keys, "priority", tuple(taxonomy.priorities), digits)
    _deal(keys, "intent", tuple(taxonomy.intents), letters)
    rest = iter([*digits, *letters])
    _deal(keys, "emotion", taxonomy.emotions, rest)
    _deal(keys, "flags", (*taxonomy.flags, NO_FLAGS), rest)
    return keys


def _deal(keys: dict[tuple[str, str], str], field: str, labels: tuple[str, ...], free: Iterator[str]) -> None:
    for label in labels:
        if (key := next(free, None)) is not None:
            keys[field, label] = key
