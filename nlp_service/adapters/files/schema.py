"""The columns of the output, and rows written as Parquet or JSON lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from nlp_service.adapters.files.durable import replacing

_PAIR = pa.struct([("label", pa.string()), ("confidence", pa.float32())])
_REASON = pa.struct([("rule", pa.string()), ("because", pa.string())])
_TYPES: Mapping[str, Any] = {
    "line": pa.int64(),
    "turn": pa.int32(),
    "sent_at": pa.timestamp("us", tz="UTC"),
    "amount": pa.float64(),
    "intent_confidence": pa.float32(),
    "alternatives": pa.list_(_PAIR),
    "sentiment_score": pa.float32(),
    "sentiment_confidence": pa.float32(),
    "emotion_confidence": pa.float32(),
    "flags": pa.list_(_PAIR),
    "urgency_confidence": pa.float32(),
    "out_of_scope": pa.float32(),
    "respond_within_minutes": pa.int32(),
    "priority_reasons": pa.list_(_REASON),
    "needs_human": pa.bool_(),
    "needs_human_reasons": pa.list_(pa.string()),
    "truncated": pa.bool_(),
    "schema_version": pa.int16(),
}
_NAMES = (
    *("id", "source", "line", "conversation_id", "turn", "text", "channel", "customer_id", "customer_tier", "product"),
    *("region", "sent_at", "amount", "language", "script", "intent", "intent_confidence", "intent_group"),
    *("alternatives", "sentiment", "sentiment_score", "sentiment_confidence", "emotion", "emotion_confidence"),
    *("flags", "urgency", "urgency_confidence", "out_of_scope", "priority", "respond_within_minutes"),
    *("priority_reasons", "department", "route_reason", "needs_human", "needs_human_reasons", "truncated"),
    *("model_name", "model_version", "schema_version"),
)
MESSAGES = pa.schema([(name, _TYPES.get(name, pa.string())) for name in _NAMES])

CONVERSATIONS = pa.schema(
    [
        ("conversation_id", pa.string()),
        ("customer_turns", pa.int32()),
        ("main_intent", pa.string()),
        ("reasons_for_contact", pa.list_(pa.string())),
        ("sentiment_start", pa.float32()),
        ("sentiment_end", pa.float32()),
        ("turning_point", pa.int32()),
        ("turning_change", pa.float32()),
        ("resolved", pa.string()),
        ("resolved_because", pa.string()),
        ("escalated", pa.bool_()),
        ("asked_for_human", pa.bool_()),
        ("priority", pa.string()),
        ("first_at", pa.timestamp("us", tz="UTC")),
        ("last_at", pa.timestamp("us", tz="UTC")),
    ]
)

# What the closing passes need of a labelled message: small, and the same for both output formats.
INDEX = pa.schema(
    [
        ("id_key", pa.uint64()),
        ("text_key", pa.uint64()),
        ("conversation_key", pa.uint64()),  # null outside conversations
        ("conversation_id", pa.string()),
        ("turn", pa.int32()),
        ("intent", pa.string()),
        ("confidence", pa.float32()),
        ("sentiment", pa.float32()),
        ("flags", pa.list_(pa.string())),
        ("priority", pa.string()),
        ("cue", pa.string()),
        ("sent_at", pa.timestamp("us", tz="UTC")),
    ]
)
ENDINGS = {"parquet": ".parquet", "jsonl": ".jsonl"}


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> None:
    """Write rows in the form that the path's ending names, whole or not at all."""
    with replacing(path) as stream:
        if path.suffix == ".jsonl":
            stream.writelines(orjson.dumps(row) + b"\n" for row in rows)
        else:
            table = pa.Table.from_pylist(list(rows), schema=schema)
            pq.write_table(table, stream, compression="zstd")


class RowWriter:
    """Writes rows in batches into one file; used within ``replacing``."""

    def __init__(self, stream: Any, form: str, schema: pa.Schema) -> None:
        self._stream = stream
        self._schema = schema
        self._parquet = pq.ParquetWriter(stream, schema, compression="zstd") if form == "parquet" else None

    def write(self, rows: Iterable[Mapping[str, Any]]) -> None:
        if self._parquet is None:
            self._stream.writelines(orjson.dumps(row) + b"\n" for row in rows)
        else:
            self._parquet.write_table(pa.Table.from_pylist(list(rows), schema=self._schema))

    def close(self) -> None:
        if self._parquet is not None:
            self._parquet.close()
