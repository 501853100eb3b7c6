"""Which files are meant, and their bytes: decompressed as they are read, never more than is sane."""

from __future__ import annotations

import glob
import gzip
import io
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import zstandard

from nlp_service.errors import InputError, NotFound

COMPRESSIONS = {".gz": "gzip", ".gzip": "gzip", ".zst": "zstd", ".zstd": "zstd"}
FORMATS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "delimited",
    ".tsv": "delimited",
    ".txt": "lines",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".xlsx": "excel",
    ".xlsm": "excel",
}
MAX_EXPANSION = 300  # decompressed bytes per byte; text compresses 3 to 30 times
FREE_EXPANSION = 256 << 20  # bytes below which no ratio is asked for
BLOCK = 1 << 20
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}


def find_files(names: Sequence[str]) -> list[Path]:
    """Return the files that names, folders and globs stand for, each once, sorted within a folder or glob.

    Raises:
        NotFound: nothing is there.
        InputError: a file's form is not known.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            matches = sorted(item for item in path.rglob("*") if item.is_file() and format_of(item) is not None)
        elif path.is_file():
            matches = [path]
        else:
            matches = sorted(Path(item) for item in glob.glob(name, recursive=True) if Path(item).is_file())  # noqa: PTH207
        if not matches:
            raise NotFound(f"input {name} is no file, no folder with files to read, and no pattern that matches any")
        found.update(dict.fromkeys(matches))
    for path in found:
        if format_of(path) is None:
            raise InputError(
                f"input {path} has a form that is not known: use .jsonl, .csv, .tsv, .txt, .parquet or .xlsx, "
                "each but the last two also as .gz or .zst"
            )
    return list(found)


def format_of(path: Path) -> str | None:
    """Return jsonl, delimited, lines, parquet or excel by the name's ending."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSIONS:
        suffixes.pop()
    return FORMATS.get(suffixes[-1]) if suffixes else None


def open_bytes(path: Path) -> IO[bytes]:
    """Open a file for reading, decompressed if its first bytes say so; the caller closes it."""
    try:
        raw = path.open("rb")
    except OSError as exc:
        raise InputError(f"input {path} cannot be opened: {exc.strerror}") from exc
    head = raw.read(4)
    raw.seek(0)
    kind = next((name for magic, name in _MAGIC.items() if head.startswith(magic)), None)
    if kind is None:
        return raw
    inner: Any = (
        gzip.GzipFile(fileobj=raw)
        if kind == "gzip"
        else zstandard.ZstdDecompressor().stream_reader(raw, read_across_frames=True)
    )
    return io.BufferedReader(_Limited(inner, raw, path), BLOCK)


class _Limited(io.RawIOBase):
    """Decompressed bytes; refuses a file that expands beyond reason or is damaged."""

    def __init__(self, inner: Any, raw: IO[bytes], path: Path) -> None:
        self._inner = inner
        self._raw = raw
        self._path = path
        self._size = max(path.stat().st_size, 1)
        self._produced = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._inner.read(len(buffer))
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as exc:
            raise InputError(f"input {self._path} is damaged after {self._produced} bytes: {exc}") from exc
        self._produced += len(data)
        if self._produced > max(FREE_EXPANSION, MAX_EXPANSION * self._size):
            raise InputError(
                f"input {self._path} expands more than {MAX_EXPANSION} times ({self._produced} bytes so far): "
                "decompress it yourself if that is meant"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._inner.close()
            self._raw.close()
        super().close()


def check_archive(path: Path) -> None:
    """Refuse a workbook (a zip) that expands beyond reason or is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            expanded = sum(item.file_size for item in archive.infolist())
    except (zipfile.BadZipFile, OSError) as exc:
        raise InputError(f"input {path} is not a workbook: {exc}") from exc
    if expanded > max(FREE_EXPANSION, MAX_EXPANSION * path.stat().st_size):
        raise InputError(f"input {path} expands to {expanded} bytes, over {MAX_EXPANSION} times its size: refused")
