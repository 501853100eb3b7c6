"""A copy of a text in which look-alikes are one character: the same length, so that offsets hold in both."""

from __future__ import annotations

import unicodedata

_DASHES = "‐‑‒–—―−﹣﹘"
_SPACES = "\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000\t"
_ZERO_WIDTH = "\u200b\u200c\u200d\u2060\ufeff\u00ad\u202a\u202c\u202d"
_DOTS = "•・‧∙⋅"


def _folding() -> dict[int, str]:
    table = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
    table |= {ord(char): "-" for char in _DASHES}
    table |= {ord(char): " " for char in _SPACES}
    table |= {ord(char): "\u200b" for char in _ZERO_WIDTH}
    table |= {ord(char): "·" for char in _DOTS}
    for first in (0x0660, 0x06F0, 0x0966, 0x0E50, 0x1D7CE, 0x1D7D8, 0x1D7E2, 0x1D7EC, 0x1D7F6):
        table |= {first + value: str(value) for value in range(10)}
    for code in range(0x2460, 0x2469):  # ① to ⑨
        table[code] = str(int(unicodedata.numeric(chr(code))))
    return table


_FOLDING = _folding()


def fold(text: str) -> str:
    """Return the text with full-width and other forms of digits, letters, dashes and spaces made plain ones."""
    return text if text.isascii() else text.translate(_FOLDING)
