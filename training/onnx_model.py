"""The exported model outside of the service: what calibration and parity run on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from nlp_service.contract.inputs import MAX_CONTEXT_TOKENS, MAX_TOKENS
from training.data.batches import Tokens, collate, tokenise
from training.data.examples import Example
from training.measure import Arrays


class OnnxModel:
    """A session with its tokenizer."""

    def __init__(self, session: ort.InferenceSession, tokenizer: dict[str, Any]) -> None:
        self.session, self.tokenizer = session, tokenizer

    @classmethod
    def load_file(cls, path: Path, tokenizer: dict[str, Any], threads: int = 2) -> OnnxModel:
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        return cls(ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"]), tokenizer)

    @classmethod
    def load_bundle(cls, folder: Path) -> OnnxModel:
        return cls.load_file(folder / "model.onnx", json.loads((folder / "tokenizer.json").read_text(encoding="utf-8")))

    def run(self, examples: Sequence[Example]) -> Arrays:
        """Outputs for ``examples``, cut as the service cuts one window."""
        return self.run_tokens(tokenise(self.tokenizer, examples, MAX_TOKENS, MAX_CONTEXT_TOKENS))

    def run_tokens(self, tokens: Sequence[Tokens], batch: int = 16) -> Arrays:
        """Outputs by name, each float32 (n, size), in the order of ``tokens``; similar lengths share a batch."""
        names = [output.name for output in self.session.get_outputs()]
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i].ids))
        parts: list[list[Any]] = []
        for start in range(0, len(order), batch):
            data = collate(tokens, order[start : start + batch])
            feed = {name: getattr(data, name).numpy() for name in ("input_ids", "attention_mask", "token_type_ids")}
            parts.append(self.session.run(names, feed))
        inverse = np.argsort(order)
        return {name: np.concatenate([part[k] for part in parts])[inverse] for k, name in enumerate(names)}
