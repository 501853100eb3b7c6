"""Tokenised examples and batches of similar length under a token budget."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor

from training.data.examples import Example

BOS, PAD, EOS = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Token ids of one example with special tokens; ``boundary`` is where segment B begins."""

    ids: tuple[int, ...]
    boundary: int


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Padded tensors int64 (batch, tokens) and the numbers of their examples."""

    index: list[int]
    input_ids: Tensor
    attention_mask: Tensor
    token_type_ids: Tensor


def tokenise(tokenizer: dict[str, Any], examples: Sequence[Example], max_tokens: int, max_context: int) -> list[Tokens]:
    """Tokenise both segments; B keeps its last ``max_context`` tokens and gives way first."""
    engine = Tokenizer.from_str(json.dumps(tokenizer))
    own = engine.encode_batch_fast([example.text for example in examples], add_special_tokens=False)
    before = engine.encode_batch_fast([example.context for example in examples], add_special_tokens=False)
    return [join(a.ids, b.ids, max_tokens, max_context) for a, b in zip(own, before, strict=True)]


def join(own: Sequence[int], before: Sequence[int], max_tokens: int, max_context: int) -> Tokens:
    """Return ``<s> A </s>`` or ``<s> A </s> B </s>`` within ``max_tokens``."""
    own = own[: max_tokens - 2]
    room = min(max_context, max_tokens - len(own) - 3)
    tail = [*before[-room:], EOS] if before and room > 0 else []
    return Tokens(ids=(BOS, *own, EOS, *tail), boundary=len(own) + 2)


def plan(
    tokens: Sequence[Tokens], order: Sequence[int], budget: int, rng: random.Random, pool: int = 2048
) -> list[list[int]]:
    """Cut ``order`` (shuffled example numbers) into batches of at most ``budget`` padded tokens, in random order."""
    batches: list[list[int]] = []
    for start in range(0, len(order), pool):
        chunk = sorted(order[start : start + pool], key=lambda i: (len(tokens[i].ids), rng.random()))
        current: list[int] = []
        for i in chunk:
            if current and (len(current) + 1) * len(tokens[i].ids) > budget:
                batches.append(current)
                current = []
            current.append(i)
        if current:
            batches.append(current)
    rng.shuffle(batches)
    return batches


def collate(tokens: Sequence[Tokens], index: list[int]) -> Batch:
    """Pad the examples ``index`` to the longest of them."""
    width = max(len(tokens[i].ids) for i in index)
    input_ids = torch.full((len(index), width), PAD, dtype=torch.long)
    mask = torch.zeros_like(input_ids)
    types = torch.zeros_like(input_ids)
    for row, i in enumerate(index):
        size = len(tokens[i].ids)
        input_ids[row, :size] = torch.tensor(tokens[i].ids)
        mask[row, :size] = 1
        types[row, tokens[i].boundary : size] = 1
    return Batch(index=index, input_ids=input_ids, attention_mask=mask, token_type_ids=types)
