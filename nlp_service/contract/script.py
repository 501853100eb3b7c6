"""Traditional Chinese as the model reads it: in simplified characters, as nearly all of its training text is."""

from __future__ import annotations

from functools import cache

from opencc import OpenCC


def to_simplified(text: str) -> str:
    """Return Chinese text in simplified characters; never use it on Japanese, whose characters it would change."""
    return str(_converter().convert(text))


@cache
def _converter() -> OpenCC:
    return OpenCC("t2s")
