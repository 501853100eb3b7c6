"""Export to ONNX: the table in 4-bit blocks, the layers in int8, and a parity check that fails the export."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import Tensor, nn

from nlp_service.errors import ConfigurationError
from training.data.batches import Tokens, collate
from training.encoder import BLOCK, EncoderWeights
from training.measure import Arrays, predict
from training.model import MultiTask
from training.onnx_model import OnnxModel
from training.quantise import quantise_static

log = logging.getLogger(__name__)

OPSET = 17
INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = ("intent", "sentiment", "emotion", "flags", "priority", "scope", "embedding")


@dataclass(frozen=True, kw_only=True)
class Parity:
    """How close the exported model is to torch on real texts."""

    intent_agreement: float  # share of texts with the same first intent
    embedding_cosine: float  # mean
    largest_logit_error: float  # mean over texts of the largest absolute difference of intent logits


# int8 agreed on 0.94 of texts after one epoch of training, blocks8 on all: the bound lets neither drift unseen.
MIN_AGREEMENT, MIN_COSINE = 0.95, 0.98


class _Served(nn.Module):
    """Outputs as a tuple in the order of OUTPUTS, as the exporter wants."""

    def __init__(self, model: MultiTask) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor) -> tuple[Tensor, ...]:
        outputs = self.model(input_ids, attention_mask, token_type_ids)
        return tuple(outputs[name] for name in OUTPUTS)


def export_float(model: MultiTask, path: Path) -> None:
    """Write the float32 graph with the classic exporter (the dynamo one fails in ONNX Runtime on this model)."""
    model.eval()
    ids = torch.tensor([[0, 5, 6, 2, 7, 2], [0, 5, 2, 1, 1, 1]])
    mask = (ids != 1).long()
    types = torch.tensor([[0, 0, 0, 0, 1, 1], [0] * 6])
    axes = {name: {0: "batch", 1: "seq"} for name in INPUTS} | {name: {0: "batch"} for name in OUTPUTS}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _Served(model),
            (ids, mask, types),
            str(path),
            input_names=list(INPUTS),
            output_names=list(OUTPUTS),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
            do_constant_folding=True,
        )


def block_table(graph_path: Path, weights: EncoderWeights, target: Path) -> None:
    """Replace the float table's Gather by GatherBlockQuantized over its exact Q4_0 blocks."""
    model = onnx.load(str(graph_path))
    graph = model.graph
    rows, columns = weights.nibbles.shape
    gather = _take_table(graph, [rows, columns])
    packed = (weights.nibbles[:, 0::2] | (weights.nibbles[:, 1::2] << 4)).astype(np.uint8)
    data = helper.make_tensor("table.blocks", TensorProto.UINT4, [rows, columns], packed.tobytes(), raw=True)
    scales = numpy_helper.from_array(weights.scales.astype(np.float16), "table.scales")
    zero = np.full((rows, columns // BLOCK // 2), 0x88, np.uint8)
    zeros = helper.make_tensor("table.zeros", TensorProto.UINT4, [rows, columns // BLOCK], zero.tobytes(), raw=True)
    quantised = helper.make_node(
        "GatherBlockQuantized",
        ["table.blocks", gather.input[1], "table.scales", "table.zeros"],
        ["table.half"],
        name="table",
        domain="com.microsoft",
        block_size=BLOCK,
        gather_axis=0,
        quantize_axis=1,
    )
    cast = helper.make_node("Cast", ["table.half"], [gather.output[0]], name="table_float", to=TensorProto.FLOAT)
    place = list(graph.node).index(gather)
    graph.node.remove(gather)
    graph.node.insert(place, quantised)
    graph.node.insert(place + 1, cast)
    graph.initializer.extend([data, scales, zeros])
    if not any(entry.domain == "com.microsoft" for entry in model.opset_import):
        model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    model.ir_version = max(model.ir_version, 10)
    onnx.save(model, str(target))


def _take_table(graph: onnx.GraphProto, shape: list[int]) -> onnx.NodeProto:
    """Remove the float table, an initializer or a constant, and return the Gather that read it."""
    for tensor in graph.initializer:
        if list(tensor.dims) == shape:
            graph.initializer.remove(tensor)
            return next(node for node in graph.node if node.op_type == "Gather" and node.input[0] == tensor.name)
    for node in graph.node:
        if node.op_type == "Constant" and list(node.attribute[0].t.dims) == shape:
            gather = next(
                other for other in graph.node if other.op_type == "Gather" and other.input[0] == node.output[0]
            )
            graph.node.remove(node)
            return gather
    raise ConfigurationError(f"the exported graph holds no table of shape {shape}")


def quantise_layers(source: Path, target: Path, kind: str, texts: Sequence[Tokens]) -> None:
    """Quantise the matrix products of the layers; the heads stay in float.

    ``static8``: smoothed static int8, ranges measured on ``texts``; as fast as dynamic int8 and the same in any batch.
    ``blocks8``: 8-bit weights with one scale per 32 (MatMulNBits): closest to float, half as fast.
    ``int8``: dynamic int8; labels near a border change with what else is in the batch.
    """
    if kind == "static8":
        quantise_static(source, target, _feeds(texts), exclude=_heads(source))
    elif kind == "blocks8":
        quantiser = MatMulNBitsQuantizer(
            onnx.load(str(source)),
            bits=8,
            block_size=BLOCK,
            is_symmetric=True,
            accuracy_level=4,
            nodes_to_exclude=_heads(source),
        )
        quantiser.process()
        onnx.save(quantiser.model.model, str(target))
    elif kind == "int8":
        quantize_dynamic(
            str(source),
            str(target),
            per_channel=True,
            weight_type=QuantType.QInt8,
            op_types_to_quantize=["MatMul", "Gemm"],
            nodes_to_exclude=_heads(source),
            extra_options={"MatMulConstBOnly": True, "DefaultTensorType": TensorProto.FLOAT},
        )
    else:
        raise ConfigurationError(f"quantisation {kind!r} is not known; known: static8, blocks8, int8")


def _feeds(texts: Sequence[Tokens], batch: int = 12) -> Iterator[dict[str, npt.NDArray[np.int64]]]:
    order = sorted(range(len(texts)), key=lambda i: len(texts[i].ids))
    for start in range(0, len(order), batch):
        data = collate(texts, order[start : start + batch])
        yield {name: getattr(data, name).numpy() for name in INPUTS}


def _heads(path: Path) -> list[str]:
    """Names of the small products after pooling: they stay in float, they cost nothing."""
    model = onnx.load(str(path), load_external_data=False)
    return [
        node.name for node in model.graph.node if node.op_type in ("Gemm", "MatMul") and "/encoder/" not in node.name
    ]


def export(
    model: MultiTask,
    weights: EncoderWeights,
    target: Path,
    *,
    kind: str,
    ranges: Sequence[Tokens],
    texts: Sequence[Tokens],
) -> Parity:
    """Write ``target``, quantised with ``ranges``, and compare it with torch on ``texts``, which must be others.

    Raises:
        ConfigurationError: the exported model differs more than quantisation explains.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, blocked = Path(folder) / "plain.onnx", Path(folder) / "blocked.onnx"
        export_float(model, plain)
        block_table(plain, weights, blocked)
        quantise_layers(blocked, target, kind, ranges)
    reference = predict(model, texts, exact=True)
    parity = compare(OnnxModel.load_file(target, weights.tokenizer).run_tokens(texts), reference)
    log.info("exported %s, %.1f MB, %s", target, target.stat().st_size / 1e6, parity)
    if parity.intent_agreement < MIN_AGREEMENT or parity.embedding_cosine < MIN_COSINE:
        raise ConfigurationError(
            f"{target} does not agree with torch: {parity}; needed {MIN_AGREEMENT} and {MIN_COSINE}"
        )
    return parity


def compare(ours: Arrays, reference: Arrays) -> Parity:
    """Compare two sets of outputs on the same texts."""
    error: npt.NDArray[np.float32] = np.abs(ours["intent"] - reference["intent"]).max(axis=1)
    return Parity(
        intent_agreement=float((ours["intent"].argmax(1) == reference["intent"].argmax(1)).mean()),
        embedding_cosine=float((ours["embedding"] * reference["embedding"]).sum(1).mean()),
        largest_logit_error=float(error.mean()),
    )
