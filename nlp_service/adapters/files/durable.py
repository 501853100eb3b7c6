"""Files that are there whole or not at all, and a full disk told as what it is."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nlp_service.adapters.files.opening import BLOCK
from nlp_service.errors import JobError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Write beside, sync, rename: a kill leaves the old file or the new one."""
    beside = path.with_name(f".{path.name}.part")
    with beside.open("wb") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def told_as_job_error(folder: Path, kept: str) -> Iterator[None]:
    """Translate what a disk says into a JobError that names the remedy."""
    try:
        yield
    except OSError as exc:
        if exc.errno in _FULL:
            raise JobError(
                f"the disk of {folder} is full ({exc.strerror}): free some space and go on with --resume; {kept} kept"
            ) from exc
        raise JobError(f"{folder} cannot be written: {exc}; put it right and go on with --resume; {kept} kept") from exc
