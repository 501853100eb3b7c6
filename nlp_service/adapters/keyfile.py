"""An encryption key that the service makes for itself where it keeps a database file of its own."""

from __future__ import annotations

import base64
import os
from pathlib import Path

from nlp_service.errors import StorageUnavailable


def find_or_make(path: Path) -> Path:
    """Return the key file, made with a random key that its owner alone can read where it is not there.

    Several processes may ask at once: one makes the file, all use it.

    Raises:
        StorageUnavailable: the folder cannot be written.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        if path.is_file():
            return path
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(base64.b64encode(os.urandom(32)) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())
        try:
            os.link(beside, path)  # fails where another process was first
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    except OSError as exc:
        raise StorageUnavailable(f"encryption key file {path} cannot be made: {exc.strerror}") from exc
    return path
