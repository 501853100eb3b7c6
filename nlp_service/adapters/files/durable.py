"""Files that are there whole or not at all, and a full disk told as what it is."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from nlp_service.adapters.files.opening import BLOCK
from nlp_service.errors import Conflict, JobError

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


def hold_alone(path: Path, *, patience: float = 30.0) -> IO[bytes]:
    """Lock a file until it is closed or the process ends; raises Conflict where another holds it for too long.

    The process of an attempt before may need a moment to notice that nobody listens any more.
    """
    stream = path.open("ab")
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            if time.monotonic() > deadline:
                stream.close()
                raise Conflict(f"another process works in {path.parent.parent}: wait for it, or end it") from exc
            time.sleep(0.2)
        else:
            return stream
