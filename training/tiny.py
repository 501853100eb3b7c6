"""A small encoder made from the corpus alone, with no download: for tests and for trying a recipe."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

from training.encoder import EncoderShape, EncoderWeights, quantise
from training.recipe import EncoderRecipe
from training.vocabulary import SPECIALS, pair_template

SPREAD = 0.02  # standard deviation of fresh weights


def tiny_encoder(texts: Iterable[str], recipe: EncoderRecipe, seed: int) -> EncoderWeights:
    """Train a unigram vocabulary on ``texts`` and draw fresh weights of the recipe's size."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=recipe.vocabulary,
        special_tokens=list(SPECIALS),
        unk_token="<unk>",  # noqa: S106 - a word piece
        show_progress=False,
        max_piece_length=8,
    )
    tokenizer.train_from_iterator(texts, trainer)
    spec = json.loads(tokenizer.to_str())
    spec["post_processor"] = pair_template(spec["added_tokens"])
    shape = EncoderShape(
        hidden=recipe.hidden,
        layers=recipe.layers or 2,
        heads=recipe.heads,
        intermediate=2 * recipe.hidden,
        vocabulary=tokenizer.get_vocab_size(),
    )
    rng = np.random.default_rng(seed)
    # Wider than the rest: a frozen random table is a code of the words, which small values would wash out.
    nibbles, scales = quantise(rng.normal(0, 0.5, (shape.vocabulary, shape.hidden)).astype(np.float32))
    return EncoderWeights(shape=shape, nibbles=nibbles, scales=scales, tensors=_fresh(shape, rng), tokenizer=spec)


def _fresh(shape: EncoderShape, rng: np.random.Generator) -> dict[str, np.ndarray]:
    def matrix(rows: int, columns: int) -> np.ndarray:
        return rng.normal(0, SPREAD, (rows, columns)).astype(np.float32)

    def norm(name: str) -> dict[str, np.ndarray]:
        return {f"{name}.weight": np.ones(shape.hidden, np.float32), f"{name}.bias": np.zeros(shape.hidden, np.float32)}

    tensors = {
        "position.weight": matrix(shape.positions, shape.hidden),
        "token_type.weight": matrix(shape.token_types, shape.hidden),
        **norm("norm"),
    }
    sizes = {
        "qkv": (3 * shape.hidden, shape.hidden),
        "attention_out": (shape.hidden, shape.hidden),
        "inner": (shape.intermediate, shape.hidden),
        "outer": (shape.hidden, shape.intermediate),
    }
    for i in range(shape.layers):
        for name, (rows, columns) in sizes.items():
            tensors[f"layers.{i}.{name}.weight"] = matrix(rows, columns) * (2.0 if name != "qkv" else 4.0)
            tensors[f"layers.{i}.{name}.bias"] = np.zeros(rows, np.float32)
        tensors |= norm(f"layers.{i}.attention_norm") | norm(f"layers.{i}.output_norm")
    return tensors
