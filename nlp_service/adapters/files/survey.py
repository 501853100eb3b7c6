"""One pass over a file before the work: its hash, its encoding, how many lines it has, and whether it is whole."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from nlp_service.adapters.files.opening import BLOCK, check_archive, format_of, open_bytes
from nlp_service.core.encodings import decide_encoding
from nlp_service.core.rows import Origin
from nlp_service.errors import InputError

SAMPLE = 1 << 20  # bytes of non-ASCII lines from which the encoding is decided


@dataclass(frozen=True, kw_only=True)
class Surveyed:
    path: Path
    form: str  # jsonl, delimited, lines, parquet, excel
    size: int  # bytes, as stored
    sha256: str  # of the stored bytes
    encoding: str  # "" for Parquet and Excel
    why: str  # how the encoding was found
    place: int = 0  # among the input files
    rows: int | None  # expected; lines of a text file, so an upper bound for CSV with line breaks in cells

    @property
    def origin(self) -> Origin:
        return Origin(name=self.path.name, place=self.place, key=self.sha256[:12])


def survey(path: Path, *, place: int = 0, encoding: str | None = None) -> Surveyed:
    """Read a file once.

    Raises:
        InputError: damaged, expanding without bound, or in an encoding that cannot be told.
    """
    form = format_of(path) or ""
    sha256 = _hash(path)
    size = path.stat().st_size
    if form in {"parquet", "excel"}:
        rows = _table_rows(path, form)
        return Surveyed(path=path, form=form, size=size, sha256=sha256, encoding="", why="", place=place, rows=rows)
    lines, broken, sample = _scan(path)
    if encoding is None:
        decision = decide_encoding(sample, broken_utf8_lines=broken, lines=lines)
        if decision.encoding is None:
            raise InputError(f"encoding of {path} cannot be told ({decision.why}): name it with --encoding")
        encoding, why = decision.encoding, decision.why
    else:
        why = "given"
    return Surveyed(path=path, form=form, size=size, sha256=sha256, encoding=encoding, why=why, place=place, rows=lines)


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _scan(path: Path) -> tuple[int, int, bytes]:
    """Return (lines, lines that are not UTF-8, a sample of non-ASCII lines with the file's first bytes)."""
    lines = broken = 0
    sample = bytearray()
    rest = b""
    with open_bytes(path) as stream:
        while block := stream.read(BLOCK):
            if not sample:
                sample += block[:4]
            block = rest + block
            cut = block.rfind(b"\n") + 1
            if cut == 0 and len(block) < 16 * BLOCK:
                rest = block
                continue
            whole, rest = (block[:cut], block[cut:]) if cut else (block, b"")
            count, faults = _scan_block(whole, sample)
            lines, broken = lines + count, broken + faults
    count, faults = _scan_block(rest, sample)
    return lines + count, broken + faults, bytes(sample)


def _scan_block(block: bytes, sample: bytearray) -> tuple[int, int]:
    lines = block.count(b"\n") + (not block.endswith(b"\n") and bool(block))
    try:
        if block.isascii() or (len(sample) >= SAMPLE and block.decode("utf-8")):
            return lines, 0
    except UnicodeDecodeError:
        pass
    broken = 0
    for line in block.split(b"\n"):
        if line.isascii():
            continue
        if len(sample) < SAMPLE:
            sample += line[:4096] + b"\n"
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            broken += 1
    return lines, broken


def _table_rows(path: Path, form: str) -> int | None:
    if form == "excel":
        check_archive(path)
        return None
    import pyarrow.parquet as pq
    from pyarrow import ArrowException

    try:
        return int(pq.ParquetFile(path).metadata.num_rows)
    except (ArrowException, OSError) as exc:
        raise InputError(f"input {path} is not a Parquet file: {exc}") from exc
