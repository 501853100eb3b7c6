"""How two segments become token ids: one assembly for training and serving.

A window is ``<s> A </s>`` with token type 0, followed by ``B </s>`` with type 1 where there is a context. The context
gives way first, from its beginning; a message that is too long for one window is read in several that overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from nlp_service.contract.inputs import MAX_CONTEXT_TOKENS, MAX_TOKENS
from nlp_service.errors import BundleError

OVERLAP = 32  # tokens that neighbouring windows share, so that no phrase is only seen cut in two
MAX_WINDOWS = 32  # about 7,100 tokens; what lies beyond is reported as truncated
IdArray = npt.NDArray[np.int64]
Segments = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Window:
    """Token ids of one encoder row with special tokens; type 1 begins at ``boundary``."""

    ids: list[int]
    boundary: int

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, slots=True)
class Reading:
    """The windows of one message, in order."""

    windows: tuple[Window, ...]
    truncated: bool  # the message goes on after the last window

    @property
    def tokens(self) -> int:
        return sum(len(window.ids) for window in self.windows)


@dataclass(frozen=True, slots=True)
class Inputs:
    """Padded rows, int64 (rows, tokens) each."""

    input_ids: IdArray
    attention_mask: IdArray
    token_type_ids: IdArray


class SegmentTokenizer:
    """The tokenizer of a bundle; safe from several threads."""

    def __init__(
        self, engine: Tokenizer, *, max_tokens: int = MAX_TOKENS, max_context_tokens: int = MAX_CONTEXT_TOKENS
    ) -> None:
        engine.no_truncation()
        engine.no_padding()
        self.max_tokens = max_tokens
        self.max_context_tokens = max_context_tokens
        self.bos, self.eos, self.pad = (_special(engine, token) for token in ("<s>", "</s>", "<pad>"))
        self._engine = engine

    @classmethod
    def load(cls, path: Path, *, max_tokens: int = MAX_TOKENS) -> SegmentTokenizer:
        """Read tokenizer.json; raises BundleError naming the file."""
        try:
            return cls(Tokenizer.from_file(str(path)), max_tokens=max_tokens)
        except BundleError:
            raise
        except Exception as exc:  # the library raises bare Exception
            raise BundleError(f"tokenizer {path} cannot be used: {exc}") from exc

    def pieces(self, segments: Sequence[Segments]) -> list[tuple[list[int], list[int]]]:
        """Return the bare token ids of both segments of each message, nothing cut."""
        own = self._engine.encode_batch_fast([message for message, _ in segments], add_special_tokens=False)
        with_context = [row for row, (_, context) in enumerate(segments) if context]
        before: list[list[int]] = [[] for _ in segments]
        if with_context:
            encoded = self._engine.encode_batch_fast(
                [segments[row][1] for row in with_context], add_special_tokens=False
            )
            for row, encoding in zip(with_context, encoded, strict=True):
                before[row] = encoding.ids
        return [(encoding.ids, ids) for encoding, ids in zip(own, before, strict=True)]

    def join(self, own: list[int], before: list[int]) -> Window:
        """Return one window; of a message that is too long its beginning."""
        own = own[: self.max_tokens - 2]
        room = min(self.max_context_tokens, self.max_tokens - len(own) - 3)
        tail = [*before[-room:], self.eos] if before and room > 0 else []
        return Window([self.bos, *own, self.eos, *tail], len(own) + 2)

    def windows(self, own: list[int], before: list[int]) -> Reading:
        """Return all windows of a message: one as ``join`` makes it, or several of the message alone."""
        width = self.max_tokens - 2
        if len(own) <= width:
            return Reading((self.join(own, before),), truncated=False)
        stride = width - min(OVERLAP, width // 2)
        count = 1 + -(-(len(own) - width) // stride)
        kept = min(count, MAX_WINDOWS)
        windows = tuple(self.join(own[start : start + width], []) for start in range(0, kept * stride, stride))
        return Reading(windows, truncated=count > kept)

    def read(self, segments: Sequence[Segments]) -> list[Reading]:
        """Tokenise messages into windows, in order."""
        return [self.windows(own, before) for own, before in self.pieces(segments)]

    def collate(self, windows: Sequence[Window]) -> Inputs:
        """Pad windows to the longest of them."""
        width = max(len(window.ids) for window in windows)
        shape = (len(windows), width)
        ids = np.full(shape, self.pad, dtype=np.int64)
        mask = np.zeros(shape, dtype=np.int64)
        types = np.zeros(shape, dtype=np.int64)
        for row, window in enumerate(windows):
            size = len(window.ids)
            ids[row, :size] = window.ids
            mask[row, :size] = 1
            types[row, window.boundary : size] = 1
        return Inputs(ids, mask, types)


def _special(engine: Tokenizer, token: str) -> int:
    found = engine.token_to_id(token)
    if found is None:
        raise BundleError(f"the tokenizer has no {token} token")
    return int(found)
