"""The passes that close a job: duplicates counted, conversations summed up, in slices that bound memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nlp_service.adapters.files.durable import replacing
from nlp_service.adapters.files.schema import CONVERSATIONS, INDEX, RowWriter
from nlp_service.core.conversation import CustomerTurn, closing_cue, summarise
from nlp_service.core.relabelling import LabelledItem

SLICE = 1_000_000  # index rows held at once
_BATCH = 5000  # conversations written together


def index_row(item: LabelledItem) -> dict[str, Any]:
    """Return what the closing passes need of a labelled message."""
    labels = item.labelling.labels
    conversation = item.conversation_id
    return {
        "id_key": _key(item.message.id),
        "text_key": item.text_key,
        "conversation_key": None if conversation is None else _key(conversation),
        "conversation_id": conversation,
        "turn": item.turn,
        "intent": labels.intent.label,
        "confidence": labels.intent.confidence,
        "sentiment": labels.sentiment.score,
        "flags": [flag.label for flag in labels.flags],
        "priority": item.labelling.priority.level,
        "cue": None if conversation is None else closing_cue(item.message.text),
        "sent_at": item.message.sent_at,
    }


def count_distinct(files: Sequence[Path], column: str, *, rows: int, size: int = SLICE) -> int:
    """Count the distinct values of a key column."""
    slices = max(1, -(-rows // size))
    distinct = 0
    for number in range(slices):
        found = [np.zeros(0, dtype=np.uint64)]
        for path in files:
            keys = pq.read_table(path, columns=[column])[column].to_numpy().astype(np.uint64)
            found.append(keys[keys % slices == number] if slices > 1 else keys)
        distinct += len(np.unique(np.concatenate(found)))
    return distinct


def write_conversations(
    path: Path, files: Sequence[Path], priorities: Mapping[str, int], *, rows: int, size: int = SLICE
) -> int:
    """Sum up every conversation into one file; returns how many there are."""
    slices = max(1, -(-rows // size))
    written = 0
    with replacing(path) as stream:
        writer = RowWriter(stream, path.suffix.removeprefix("."), CONVERSATIONS)
        for number in range(slices):
            batch: list[dict[str, Any]] = []
            for conversation_id, turns in _conversations(files, number, slices):
                batch.append(asdict(summarise(conversation_id, turns, priorities)))
                if len(batch) == _BATCH:
                    writer.write(batch)
                    written, batch = written + len(batch), []
            if batch:
                writer.write(batch)
                written += len(batch)
        writer.close()
    return written


def _conversations(files: Sequence[Path], number: int, slices: int) -> Iterator[tuple[str, list[CustomerTurn]]]:
    """Yield the conversations whose key falls into a slice."""
    tables = []
    for path in files:
        table = pq.read_table(path, schema=INDEX)
        chosen = pc.is_valid(table["conversation_key"])
        if slices > 1:
            keys = pc.fill_null(table["conversation_key"], 0).to_numpy().astype(np.uint64)
            chosen = pc.and_(chosen, pa.array(keys % slices == number))
        tables.append(table.filter(chosen))
    whole = pa.concat_tables(tables) if tables else INDEX.empty_table()
    order = pc.sort_indices(whole, sort_keys=[("conversation_id", "ascending")])  # stable: turns stay in order
    current: str | None = None
    turns: list[CustomerTurn] = []
    for batch in whole.take(order).to_batches(_BATCH):
        for row in batch.to_pylist():
            if row["conversation_id"] != current:
                if current is not None:
                    yield current, turns
                current, turns = row["conversation_id"], []
            turns.append(_turn(row, len(turns) + 1))
    if current is not None:
        yield current, turns


def _turn(row: Mapping[str, Any], place: int) -> CustomerTurn:
    return CustomerTurn(
        turn=row["turn"] if row["turn"] is not None else place,
        intent=row["intent"],
        confidence=row["confidence"],
        sentiment=round(row["sentiment"], 4),
        flags=tuple(row["flags"]),
        priority=row["priority"],
        cue=row["cue"],
        sent_at=row["sent_at"],
    )


def _key(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "little")
