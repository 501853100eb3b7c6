"""Static int8 for the encoder's matrix products: as fast as dynamic int8, closer to float, and the same in any batch.

Dynamic quantisation takes one activation scale from whatever else is in the batch, and a few outlier channels make that
scale coarse. Here each channel is first divided by a factor that moves its outliers into the weights (SmoothQuant, Xiao
et al. 2023), then one scale per product is fixed from calibration texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper

from nlp_service.errors import ConfigurationError

ALPHA = 0.75  # share of a channel's range that moves into the weights: best of 0 … 0.9 on the untuned encoder
REACH = 0.6  # of the way from a batch's usual extreme to the largest seen: clips rare outliers, steps get finer
SMALLEST = 1e-5  # ranges below are treated as this, so that a dead channel does not divide by zero
Array = npt.NDArray[Any]
Feed = Mapping[str, npt.NDArray[np.int64]]


@dataclass(frozen=True, kw_only=True)
class Product:
    """A product of activations with constant weights, and the addition of its bias."""

    name: str
    activation: str
    weight: Array  # float32 (in, out)
    bias: Array  # float32 (out,)
    output: str
    nodes: tuple[onnx.NodeProto, onnx.NodeProto]


@dataclass(frozen=True, kw_only=True)
class Range:
    """Smallest and largest value of each channel that int8 keeps, float32 (channels,)."""

    low: Array
    high: Array


def quantise_static(source: Path, target: Path, feeds: Iterable[Feed], *, exclude: Collection[str] = ()) -> int:
    """Write ``source`` with its products in int8; returns how many.

    Args:
        source: a float32 graph with inputs input_ids, attention_mask and token_type_ids.
        target: the file to write.
        feeds: a few hundred tokenised texts like those that will be served, in batches; padding is not counted.
        exclude: names of products to leave in float.

    Raises:
        ConfigurationError: no product was found, or no text was given.
    """
    model = onnx.load(str(source))
    products = [product for product in find_products(model.graph) if product.name not in exclude]
    if not products:
        raise ConfigurationError(f"{source} has no product with constant weights and a bias to quantise")
    ranges = measure(model, sorted({product.activation for product in products}), feeds)
    for product in products:
        _replace(model.graph, product, ranges[product.activation])
    _drop_unused(model.graph)
    if not any(entry.domain == "com.microsoft" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    onnx.save(model, str(target))
    return len(products)


def find_products(graph: onnx.GraphProto) -> list[Product]:
    """Return every ``Add(MatMul(x, weights), bias)`` with constant weights and bias, in graph order."""
    constants = {item.name: item for item in graph.initializer}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    products = []
    for node in graph.node:
        if node.op_type != "MatMul" or node.input[1] not in constants or node.input[0] in constants:
            continue
        after = readers.get(node.output[0], [])
        if len(after) != 1 or after[0].op_type != "Add":
            continue
        bias = next((name for name in after[0].input if name in constants), None)
        if bias is None or len(constants[node.input[1]].dims) != 2:
            continue
        products.append(
            Product(
                name=node.name,
                activation=node.input[0],
                weight=numpy_helper.to_array(constants[node.input[1]]),
                bias=numpy_helper.to_array(constants[bias]),
                output=after[0].output[0],
                nodes=(node, after[0]),
            )
        )
    return products


def measure(model: onnx.ModelProto, activations: list[str], feeds: Iterable[Feed]) -> dict[str, Range]:
    """Run the float graph and return the range of each activation (rows, tokens, channels) by name.

    A range ends ``REACH`` of the way from the mean over batches of a batch's extreme to the extreme over all.
    """
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    probe.graph.output.extend(onnx.ValueInfoProto(name=name) for name in activations)
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL  # keeps the names that are asked for
    session = ort.InferenceSession(probe.SerializeToString(), options, providers=["CPUExecutionProvider"])
    lows: dict[str, list[Array]] = {name: [] for name in activations}
    highs: dict[str, list[Array]] = {name: [] for name in activations}
    for feed in feeds:
        real = feed["attention_mask"].astype(bool)
        for name, values in zip(activations, session.run(activations, dict(feed)), strict=True):
            lows[name].append(values[real].min(axis=0))
            highs[name].append(values[real].max(axis=0))
    if not all(lows.values()):
        raise ConfigurationError("static quantisation needs calibration texts, none was given")
    return {
        name: Range(
            low=REACH * np.min(lows[name], axis=0) + (1 - REACH) * np.mean(lows[name], axis=0),
            high=REACH * np.max(highs[name], axis=0) + (1 - REACH) * np.mean(highs[name], axis=0),
        )
        for name in activations
    }


def smooth(weight: Array, span: Range) -> Array:
    """Return the positive factor float32 (in,) that each input channel is divided by and its weights multiplied by."""
    activation = np.maximum(np.maximum(np.abs(span.low), np.abs(span.high)), SMALLEST)
    heaviest = np.maximum(np.abs(weight).max(axis=1), SMALLEST)
    return np.asarray(activation**ALPHA / heaviest ** (1 - ALPHA), dtype=np.float32)


def _replace(graph: onnx.GraphProto, product: Product, span: Range) -> None:
    """Put ``MatMulIntegerToFloat(QuantizeLinear(x / factor), int8(weights * factor)) + bias`` in a product's place."""
    factor = smooth(product.weight, span)
    scaled = product.weight * factor[:, None]
    steps = np.maximum(np.abs(scaled).max(axis=0), SMALLEST**2) / 127
    low = min(0.0, float((span.low / factor).min()))
    high = max(0.0, float((span.high / factor).max()))
    step = max(high - low, SMALLEST) / 255
    constants = {
        "factor": (1 / factor).astype(np.float32),
        "step": np.array(step, dtype=np.float32),
        "zero": np.array(round(-low / step), dtype=np.uint8),
        "weight": np.clip(np.rint(scaled / steps), -127, 127).astype(np.int8),
        "steps": steps.astype(np.float32),
        "zeros": np.zeros(len(steps), dtype=np.int8),
        "bias": product.bias,
    }
    names = {key: f"{product.name}/{key}" for key in constants}
    graph.initializer.extend(numpy_helper.from_array(value, names[key]) for key, value in constants.items())
    even, whole = f"{product.name}/even", f"{product.name}/whole"
    nodes = [
        helper.make_node("Mul", [product.activation, names["factor"]], [even], name=even),
        helper.make_node("QuantizeLinear", [even, names["step"], names["zero"]], [whole], name=whole),
        helper.make_node(
            "MatMulIntegerToFloat",
            [whole, *(names[key] for key in ("weight", "step", "steps", "zero", "zeros", "bias"))],
            [product.output],
            name=f"{product.name}/int8",
            domain="com.microsoft",
        ),
    ]
    place = list(graph.node).index(product.nodes[0])
    for node in product.nodes:
        graph.node.remove(node)
    for offset, node in enumerate(nodes):
        graph.node.insert(place + offset, node)


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    for item in [item for item in graph.initializer if item.name not in used]:
        graph.initializer.remove(item)


def graph_layers(path: Path) -> tuple[int, int, int]:
    """Return (layers, hidden, intermediate) of an exported encoder: each layer has one softmax."""
    graph = onnx.load(str(path)).graph
    widths = {
        (item.dims[0], item.dims[1])
        for item in graph.initializer
        if len(item.dims) == 2 and item.data_type == onnx.TensorProto.INT8
    }
    hidden = min(rows for rows, _ in widths)
    return sum(node.op_type == "Softmax" for node in graph.node), hidden, max(rows for rows, _ in widths)
