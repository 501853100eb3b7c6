"""Two outputs of relabelling joined by message id, in slices that bound memory; and the report of both."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq

from nlp_service.adapters.files.durable import replacing
from nlp_service.core.comparison import Comparison, Opinion, compare
from nlp_service.core.comparison_report import html, markdown
from nlp_service.errors import NotFound

SLICE = 200_000  # messages of the older output held at once
_COLUMNS = (
    *("id", "text", "intent", "intent_confidence", "sentiment_score", "priority", "department", "needs_human"),
    "sent_at",
)


def write_comparison(before: Path, after: Path, target: Path) -> dict[str, Any]:
    """Compare two finished outputs and write report.md, report.html and report.json; returns the data."""
    old, new = _manifest(before), _manifest(after)
    data = {"before": _name(old), "after": _name(new), **compare_outputs(before, after).as_data()}
    target.mkdir(parents=True, exist_ok=True)
    titles = {"before": _title(old), "after": _title(new)}
    if titles["before"] == titles["after"]:
        titles = {"before": f"{titles['before']} (policy before)", "after": f"{titles['after']} (policy after)"}
    for name, content in (
        ("report.json", orjson.dumps(data, option=orjson.OPT_INDENT_2)),
        ("report.md", markdown(data, **titles).encode()),
        ("report.html", html(data, **titles).encode()),
    ):
        with replacing(target / name) as stream:
            stream.write(content)
    return data


def compare_outputs(before: Path, after: Path, *, size: int = SLICE) -> Comparison:
    """Compare two finished outputs; raises NotFound where one is not finished."""
    return compare(_pairs(before, after, size))


def _pairs(before: Path, after: Path, size: int) -> Iterator[tuple[Opinion | None, Opinion | None]]:
    slices = max(1, -(-int(_manifest(before)["rows"]["labelled"]) // size))
    for number in range(slices):
        old = {opinion.id: opinion for opinion in _opinions(before, number, slices)}
        for opinion in _opinions(after, number, slices):
            yield old.pop(opinion.id, None), opinion
        for opinion in old.values():
            yield opinion, None


def _opinions(folder: Path, number: int, slices: int) -> Iterator[Opinion]:
    for part in _manifest(folder)["output"]:
        for row in _rows(folder / part["name"]):
            if slices == 1 or zlib.crc32(row["id"].encode("utf-8", "replace")) % slices == number:
                yield _opinion(row)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.suffix == ".parquet":
        with pq.ParquetFile(path) as table:
            for batch in table.iter_batches(4096, columns=list(_COLUMNS)):
                yield from batch.to_pylist()
        return
    with path.open("rb") as stream:
        for line in stream:
            yield orjson.loads(line)


def _opinion(row: dict[str, Any]) -> Opinion:
    sent_at = row["sent_at"]
    return Opinion(
        id=row["id"],
        text=row["text"],
        intent=row["intent"],
        confidence=row["intent_confidence"],
        sentiment=row["sentiment_score"],
        priority=row["priority"],
        department=row["department"],
        needs_human=row["needs_human"],
        sent_at=datetime.fromisoformat(sent_at) if isinstance(sent_at, str) else sent_at,
    )


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = orjson.loads((folder / "manifest.json").read_bytes())
    except (OSError, orjson.JSONDecodeError) as exc:
        raise NotFound(f"{folder} holds no finished relabelling: {exc}") from exc
    return found


def _name(manifest: dict[str, Any]) -> dict[str, Any]:
    return {"model": manifest["model"], "policy_sha256": manifest["policy_sha256"]}


def _title(manifest: dict[str, Any]) -> str:
    return f"{manifest['model']['name']} {manifest['model']['version']}"
