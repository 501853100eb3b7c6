"""A bundle back into torch: training goes on from the model that serves.

The exported graph holds everything but the auxiliary heads: the table in its exact 4-bit blocks, the layers in smoothed
int8 (their scales undo the smoothing) or float32, the heads in float32. What int8 rounded stays rounded.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, numpy_helper

from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.errors import ConfigurationError
from training.encoder import BLOCK, Array, EncoderShape, EncoderWeights
from training.model import MultiTask
from training.quantise import find_products

PARTS = ("qkv", "attention_out", "inner", "outer")
PREFIX = "model.encoder."
EPSILON = 1e-12


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A bundle's model as training holds it."""

    weights: EncoderWeights
    heads: dict[str, Array]  # torch names of model.MultiTask: heads.*.weight, heads.*.bias, projection.*
    taxonomy: Taxonomy  # names the rows of the heads


def restore(bundle: Path) -> Restored:
    """Read the encoder and the heads of ``bundle``.

    Raises:
        ConfigurationError: the graph was not exported by ``training.export`` as static8 or float; it says what lacks.
    """
    graph = onnx.load(str(bundle / "model.onnx")).graph
    values = {item.name: item for item in graph.initializer}
    tensors = {
        name[len(PREFIX) :]: _array(item)
        for name, item in values.items()
        if name.startswith(PREFIX) and item.data_type == TensorProto.FLOAT
    }
    layers = sum(node.op_type == "Softmax" for node in graph.node)
    products = {product.name: product for product in find_products(graph)}
    for i in range(layers):
        for part in PARTS:
            name = f"/model/encoder/layers.{i}/{part}/MatMul"
            if name in products:
                weight, bias = products[name].weight, products[name].bias
            else:
                weight, bias = _from_int8(values, name, bundle)
            tensors[f"layers.{i}.{part}.weight"] = np.ascontiguousarray(weight.T)
            tensors[f"layers.{i}.{part}.bias"] = bias
    nibbles, scales = _table(values, bundle)
    shape = EncoderShape(
        hidden=nibbles.shape[1],
        layers=layers,
        heads=_attention_heads(graph, bundle),
        intermediate=tensors["layers.0.inner.bias"].shape[0],
        vocabulary=nibbles.shape[0],
        positions=tensors["position.weight"].shape[0],
        token_types=tensors["token_type.weight"].shape[0],
        epsilon=EPSILON,
    )
    heads = {
        name.removeprefix("model."): _array(item)
        for name, item in values.items()
        if name.startswith(("model.heads.", "model.projection."))
    }
    tokenizer = json.loads((bundle / "tokenizer.json").read_text(encoding="utf-8"))
    return Restored(
        weights=EncoderWeights(shape=shape, nibbles=nibbles, scales=scales, tensors=tensors, tokenizer=tokenizer),
        heads=heads,
        taxonomy=load_taxonomy(bundle / "taxonomy.yaml"),
    )


def take_heads(model: MultiTask, restored: Restored, taxonomy: Taxonomy) -> list[str]:
    """Copy the heads into ``model`` label by label; returns the intents that the bundle did not know."""
    state = model.state_dict()
    rows = _rows(restored.taxonomy)
    wanted = _rows(taxonomy)
    for name, value in restored.heads.items():
        head = name.split(".")[1]
        if name not in state:
            continue
        target = state[name]
        if head not in wanted:
            target.copy_(torch.from_numpy(np.array(value)))
            continue
        for row, label in enumerate(wanted[head]):
            if label in rows[head]:
                target[row] = torch.from_numpy(np.array(value[rows[head].index(label)]))
    model.load_state_dict(state)
    return [label for label in wanted["intent"] if label not in rows["intent"]]


def _rows(taxonomy: Taxonomy) -> dict[str, list[str]]:
    return {
        "intent": list(taxonomy.intents),
        "sentiment": list(taxonomy.sentiments),
        "emotion": list(taxonomy.emotions),
        "flags": list(taxonomy.flags),
        "priority": list(taxonomy.priorities),
    }


def _array(item: onnx.TensorProto) -> Array:
    return np.array(numpy_helper.to_array(item))


def _from_int8(values: dict[str, onnx.TensorProto], name: str, bundle: Path) -> tuple[Array, Array]:
    """Undo ``quantise.quantise_static`` for one product; returns weight (in, out) and bias (out,)."""
    if f"{name}/weight" not in values:
        raise ConfigurationError(
            f"{bundle} has no product {name} in int8 or float32: training can go on from bundles of static8 alone"
        )
    weight, steps, factor, bias = (_array(values[f"{name}/{key}"]) for key in ("weight", "steps", "factor", "bias"))
    return weight.astype(np.float32) * steps * factor[:, None], bias


def _table(values: dict[str, onnx.TensorProto], bundle: Path) -> tuple[Array, Array]:
    if "table.blocks" not in values:
        raise ConfigurationError(f"{bundle} has no table in 4-bit blocks: it was not exported by this version")
    rows, columns = values["table.blocks"].dims
    packed = np.frombuffer(values["table.blocks"].raw_data, np.uint8).reshape(rows, columns // 2)
    nibbles = np.empty((rows, columns), np.uint8)
    nibbles[:, 0::2], nibbles[:, 1::2] = packed & 15, packed >> 4
    return nibbles, _array(values["table.scales"]).reshape(rows, columns // BLOCK)


def _attention_heads(graph: onnx.GraphProto, bundle: Path) -> int:
    """Read how many heads the first layer splits into: (batch, tokens, 3, heads, size) is the shape it reshapes to."""
    made: dict[str, Any] = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        shape = made.get(node.input[1]) if node.op_type == "Reshape" else None
        if shape is None or shape.op_type != "Concat" or len(shape.input) != 5:
            continue
        constant = made[shape.input[3]]
        return int(numpy_helper.to_array(constant.attribute[0].t).reshape(-1)[0])
    raise ConfigurationError(f"{bundle} has no layer that splits into attention heads")
