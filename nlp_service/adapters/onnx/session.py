"""ONNX Runtime sessions: options, checked inputs and outputs, and one pass over a padded batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

import numpy as np
import onnxruntime as ort

from nlp_service.contract.bundle import EMBEDDING, HEADS
from nlp_service.contract.encode import Inputs
from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.labelling import FloatArray
from nlp_service.errors import BundleError

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
OUTPUTS = (*HEADS, EMBEDDING)


def session_options() -> ort.SessionOptions:
    """One pass runs on the thread that calls it: callers are the parallelism, and nothing spins between passes."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.enable_mem_pattern = False  # shapes change with every batch
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options


class Columns:
    """Where each output lies in a packed row: all outputs of a message side by side, in the order of OUTPUTS."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        ends = list(accumulate(widths[name] for name in OUTPUTS))
        self.total = ends[-1]
        self.of = {name: slice(end - widths[name], end) for name, end in zip(OUTPUTS, ends, strict=True)}

    @classmethod
    def of_bundle(cls, taxonomy: Taxonomy, embedding_size: int) -> Columns:
        return cls(
            {
                "intent": len(taxonomy.intents),
                "sentiment": len(taxonomy.sentiments),
                "emotion": len(taxonomy.emotions),
                "flags": len(taxonomy.flags),
                "priority": len(taxonomy.priorities),
                "scope": 1,
                EMBEDDING: embedding_size,
            }
        )


def open_session(path: Path, columns: Columns) -> ort.InferenceSession:
    """Load a model and try it; raises BundleError naming the file and what does not fit."""
    try:
        session = ort.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
    except Exception as exc:  # the runtime's own exceptions share no narrower base
        raise BundleError(f"model {path} cannot be loaded: {exc}") from exc
    for kind, needed, found in (
        ("input", INPUTS, {item.name for item in session.get_inputs()}),
        ("output", OUTPUTS, {item.name for item in session.get_outputs()}),
    ):
        missing = [name for name in needed if name not in found]
        if missing:
            raise BundleError(f"model {path} has no {kind} {', '.join(missing)}; it has {', '.join(sorted(found))}")
    one = np.zeros((1, 1), dtype=np.int64)
    tried = session.run(OUTPUTS, dict.fromkeys(INPUTS, one) | {"attention_mask": one + 1})
    for name, output in zip(OUTPUTS, tried, strict=True):
        expected = columns.of[name].stop - columns.of[name].start
        if output.size != expected:
            raise BundleError(
                f"model {path}: {name} has {output.size} columns, taxonomy and manifest need {expected}: "
                "export it again with this taxonomy"
            )
    return session


def infer(session: ort.InferenceSession, inputs: Inputs) -> FloatArray:
    """Return packed outputs float32 (rows, columns); releases the interpreter while it computes."""
    outputs: Sequence[FloatArray] = session.run(
        OUTPUTS,
        {
            "input_ids": inputs.input_ids,
            "attention_mask": inputs.attention_mask,
            "token_type_ids": inputs.token_type_ids,
        },
    )
    rows = len(inputs.input_ids)
    return np.concatenate([output.reshape(rows, -1) for output in outputs], axis=1)
