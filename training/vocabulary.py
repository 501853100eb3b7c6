"""Choosing the part of the tokenizer's vocabulary that the served languages use, and cutting the encoder to it.

Deleting unigram pieces that lie on no best path changes no segmentation: the scores and order of the kept ones stay.
"""

from __future__ import annotations

import copy
import dataclasses
import json
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from training.encoder import EncoderWeights

log = logging.getLogger(__name__)

SPECIALS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
CONTEXT_TYPE = 1  # token type of the second segment
# Scripts whose pieces are kept whole: their words are too many to be seen in any sample.
WHOLE_SCRIPTS = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "THAI", "KATAKANA-HIRAGANA", "IDEOGRAPHIC")
SINGLE_SCRIPTS = ("LATIN", "CYRILLIC", "ARABIC", "DIGIT", "GREEK", *WHOLE_SCRIPTS)


def count_pieces(tokenizer: Tokenizer, texts: Iterable[str], batch: int = 4096) -> Counter[int]:
    """Count how often each piece id lies on the best path of ``texts``."""
    counts: Counter[int] = Counter()
    for chunk in _chunks(texts, batch):
        for encoding in tokenizer.encode_batch_fast(chunk, add_special_tokens=False):
            counts.update(encoding.ids)
    return counts


def choose_pieces(tokenizer: dict[str, Any], used: Counter[int], at_least: int = 2) -> list[int]:
    """Return the ids to keep, ascending.

    Kept are the specials, the lowest-scored piece (it sets the penalty of the unknown), single characters of the
    scripts served with all punctuation and symbols, pieces wholly in Han, kana, Hangul or Thai, and what real text
    used at least ``at_least`` times.
    """
    vocabulary = tokenizer["model"]["vocab"]
    keep = {i for i, (piece, _) in enumerate(vocabulary) if piece in SPECIALS or _always_kept(piece)}
    keep.add(min(range(4, len(vocabulary) - 1), key=lambda i: vocabulary[i][1]))
    keep.update(i for i, count in used.items() if count >= at_least)
    return sorted(keep)


def _always_kept(piece: str) -> bool:
    bare = piece.replace("\u2581", "")
    if not bare:
        return True
    kinds = {_script(char) for char in bare}
    if len(bare) == 1 or not any(unicodedata.category(char)[0] in "LM" for char in bare):
        return all(kind in SINGLE_SCRIPTS or kind == "SYMBOL" for kind in kinds)
    return all(kind in WHOLE_SCRIPTS or kind in ("SYMBOL", "DIGIT") for kind in kinds)


def _script(char: str) -> str:
    category = unicodedata.category(char)
    if category[0] in "PSZ":
        return "SYMBOL"
    if category[0] == "N":
        return "DIGIT" if char.isascii() else "SYMBOL"
    return unicodedata.name(char, "UNKNOWN").split(" ")[0]


def trim(weights: EncoderWeights, keep: list[int]) -> EncoderWeights:
    """Return the encoder with only the rows and pieces of ``keep``; segment B gets token type 1."""
    tokenizer = copy.deepcopy(weights.tokenizer)
    vocabulary = tokenizer["model"]["vocab"]
    rows = {old: new for new, old in enumerate(keep)}
    tokenizer["model"]["vocab"] = [vocabulary[old] for old in keep]
    tokenizer["model"]["unk_id"] = rows[tokenizer["model"]["unk_id"]]
    for token in tokenizer["added_tokens"]:
        token["id"] = rows[token["id"]]
    tokenizer["post_processor"] = pair_template(tokenizer["added_tokens"])
    tokenizer["truncation"] = tokenizer["padding"] = None
    index = np.asarray(keep)
    return dataclasses.replace(
        weights,
        shape=dataclasses.replace(weights.shape, vocabulary=len(keep)),
        nibbles=weights.nibbles[index],
        scales=weights.scales[index],
        tokenizer=tokenizer,
    )


def pair_template(added_tokens: list[dict[str, Any]]) -> dict[str, Any]:
    """Post-processor ``<s> A </s>`` with type 0 and ``B </s>`` with type 1."""
    ids = {token["content"]: token["id"] for token in added_tokens}

    def special(name: str, kind: int) -> dict[str, Any]:
        return {"SpecialToken": {"id": name, "type_id": kind}}

    def sequence(name: str, kind: int) -> dict[str, Any]:
        return {"Sequence": {"id": name, "type_id": kind}}

    single = [special("<s>", 0), sequence("A", 0), special("</s>", 0)]
    return {
        "type": "TemplateProcessing",
        "single": single,
        "pair": [*single, sequence("B", CONTEXT_TYPE), special("</s>", CONTEXT_TYPE)],
        "special_tokens": {name: {"id": name, "ids": [ids[name]], "tokens": [name]} for name in ("<s>", "</s>")},
    }


def same_segmentation(full: dict[str, Any], cut: dict[str, Any], texts: list[str]) -> float:
    """Share of ``texts`` that both tokenizers cut into the same pieces."""
    tokens = [
        [
            encoding.tokens
            for encoding in Tokenizer.from_str(json.dumps(spec)).encode_batch(texts, add_special_tokens=False)
        ]
        for spec in (full, cut)
    ]
    same: int = sum(a == b for a, b in zip(*tokens, strict=True))
    return same / max(1, len(texts))


def _chunks(items: Iterable[str], size: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
