"""How a message and the turns before it become the two segments that the encoder reads."""

from __future__ import annotations

from collections.abc import Sequence

from nlp_service.contract.text import normalise

MAX_CONTEXT_TURNS = 2
MAX_TOKENS = 256  # of one window, both segments and special tokens together
MAX_CONTEXT_TOKENS = 96  # the second segment is cut from its beginning: the latest words matter most


def compose(text: str, context: Sequence[str] = ()) -> tuple[str, str]:
    """Return (message, context) as normalised segments; the second is empty without context.

    The last two turns are kept, oldest first, one space between them.
    """
    turns = [normalise(turn) for turn in context[-MAX_CONTEXT_TURNS:]]
    return normalise(text), " ".join(turn for turn in turns if turn)
