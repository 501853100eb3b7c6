"""Real sets with known topics, and real streams, embedded by the accepted bundle; embeddings are kept in a cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_service.contract.inputs import compose
from nlp_service.core.labelling import FloatArray
from nlp_service.ports import Model

Labelled = tuple[list[str], npt.NDArray[np.int64]]
BATCH = 64
SAVE_EVERY = 16  # batches between two writes of the cache: a run that is cut off goes on there


def records(corpora: Path, name: str, *splits: str) -> list[dict[str, Any]]:
    """Return the records of a set's splits."""
    found = []
    for split in splits:
        with (corpora / name / f"{split}.jsonl").open(encoding="utf-8") as lines:
            found += [json.loads(line) for line in lines]
    return found


def known_sets(corpora: Path) -> Mapping[str, Callable[[], Labelled]]:
    """Return the sets of issue 5 by name; each function reads its texts and topics."""
    return {
        "jddc_uss": lambda: _topics(
            [row for row in records(corpora, "jddc_uss", "train", "dev") if row["label"] != "OTHER"]
        ),
        "bdci2018_car": lambda: _negative_aspects(records(corpora, "bdci2018_car", "train", "dev")),
        "afqmc": lambda: _equivalent(records(corpora, "afqmc", "train")),
        "atec_pairs": lambda: _equivalent(records(corpora, "atec_pairs", "train")),
        "clinc150": lambda: _topics(
            [row for row in records(corpora, "clinc150_oos", "train") if row["label"] != "oos"]
        ),
        "banking77": lambda: _topics(records(corpora, "banking77", "train", "dev")),
    }


def stream_texts(corpora: Path) -> list[str]:
    """Return real customer messages without known themes, each once."""
    rows = records(corpora, "jddc_raw", "train") + records(corpora, "jddc_qa", "train")
    rows += records(corpora, "service_messages", "train") + records(corpora, "waimai_10k", "train")
    return list(dict.fromkeys(row["text"].strip()[:200] for row in rows if len(row["text"].strip()) >= 4))


def embed(model: Model, texts: Sequence[str], cache: Path) -> FloatArray:
    """Return embeddings (n, d) of texts; those that this model has embedded before come from the cache."""
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"{hashlib.blake2b(str(model.identity).encode(), digest_size=8).hexdigest()}.npz"
    known: dict[bytes, npt.NDArray[np.float16]] = {}
    if path.is_file():
        with np.load(path) as stored:
            known = dict(zip((key.tobytes() for key in stored["keys"]), stored["rows"], strict=True))
    keys = [hashlib.blake2b(text.encode(), digest_size=16).digest() for text in texts]
    new = {key: text for key, text in zip(keys, texts, strict=True) if key not in known}
    missing = sorted(new.items(), key=lambda entry: len(entry[1]))  # texts of one length share a batch
    for start in range(0, len(missing), BATCH):
        part = missing[start : start + BATCH]
        rows = model.score([compose(text, ()) for _, text in part]).embedding.astype(np.float16)
        known.update(zip((key for key, _ in part), rows, strict=True))
        if (start // BATCH) % SAVE_EVERY == SAVE_EVERY - 1 or start + BATCH >= len(missing):
            _save(path, known)
    return np.stack([known[key] for key in keys]).astype(np.float32)


def _save(path: Path, known: Mapping[bytes, npt.NDArray[np.float16]]) -> None:
    """Write beside and rename: a run that is killed leaves no half of a file behind."""
    beside = path.with_suffix(".part.npz")
    keys = np.frombuffer(b"".join(known), dtype=np.uint8).reshape(len(known), -1)
    np.savez(beside, keys=keys, rows=np.stack(list(known.values())))
    beside.replace(path)


def _topics(rows: Sequence[Mapping[str, Any]]) -> Labelled:
    names = {name: number for number, name in enumerate(sorted({row["label"] for row in rows}))}
    return [row["text"] for row in rows], np.array([names[row["label"]] for row in rows])


def _negative_aspects(rows: Sequence[Mapping[str, Any]]) -> Labelled:
    """Messages that are negative about exactly one aspect of a car."""
    aspects: dict[str, set[str]] = {}
    for row in rows:
        negative = {aspect for aspect, sentiment in row["aspects"].items() if sentiment == "negative"}
        if negative:
            aspects.setdefault(row["text"], set()).update(negative)
    return _topics([{"text": text, "label": min(found)} for text, found in aspects.items() if len(found) == 1])


def _equivalent(rows: Sequence[Mapping[str, Any]]) -> Labelled:
    """Questions joined by pairs that people judged equivalent: each connected group is a topic."""
    parent: dict[str, str] = {}

    def find(text: str) -> str:
        parent.setdefault(text, text)
        while parent[text] != text:
            parent[text] = parent[parent[text]]
            text = parent[text]
        return text

    for row in rows:
        if row["label"] == "1":
            parent[find(row["text"])] = find(row["text2"])
    return _topics([{"text": text, "label": find(text)} for text in list(parent)])
