"""Text preparation, one function for training and serving."""

from __future__ import annotations

import re
import unicodedata

NORMALISE_VERSION = 1

# Zero-width characters, bidi marks and the byte-order mark carry no meaning here; a variation selector only
# chooses between two drawings of one emoji.
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufe0e\ufe0f\ufeff]")
# Control characters, lone surrogates and private-use code points: by range, so that no Python release moves them.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff]")
_SPACE = re.compile(r"\s+")
_LONG_RUN = re.compile(r"(.)\1{3,}", re.DOTALL)


def normalise(text: str) -> str:
    """Return the text as the model sees it; applying it twice changes nothing more.

    NFKC folds full-width letters and digits, control and invisible characters become a space or vanish, white
    space is collapsed, and a character repeated more than three times is kept three times ("！！！！！！" -> "!!!").
    Script and case are kept: both carry meaning for the encoder.
    """
    previous = None
    while previous != text:  # NFKC can create new runs and spaces; two rounds suffice in practice
        previous = text
        text = unicodedata.normalize("NFKC", text)
        text = _INVISIBLE.sub("", text)
        text = _CONTROL.sub(" ", text)
        text = _SPACE.sub(" ", text).strip()
        text = _LONG_RUN.sub(r"\1\1\1", text)
    return text


def has_words(text: str) -> bool:
    """Tell whether any letter or digit is left, so that there is something to understand."""
    return any(unicodedata.category(char)[0] in "LN" for char in text)
