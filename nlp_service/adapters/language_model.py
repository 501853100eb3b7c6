"""py3langid's model file read so that little of it stays in memory: some languages' columns, a mapped automaton."""

from __future__ import annotations

import lzma
import mmap
import shutil
import struct
import tempfile
import zipfile
from array import array
from collections.abc import Collection
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from nlp_service.errors import ConfigurationError

_CHUNK = 1 << 20  # bytes unpacked at a time


def read_model(languages: Collection[str]) -> Any:
    """Return py3langid's identifier over those of ``languages`` that it knows, with probabilities.

    The whole table has 142 languages (28 MB) and its automaton takes another 40 MB, of which a text visits a few
    hundred rows. Only the columns asked for are kept; the automaton is mapped from an unlinked temporary file, so that
    the pages that no text visits are not resident.

    Raises:
        ConfigurationError: the installed release has another file format.
    """
    from py3langid.langid import MODEL_DIR, MODEL_FILE
    from py3langid.langid import LanguageIdentifier as Model

    path = MODEL_DIR / MODEL_FILE
    with tempfile.TemporaryFile(suffix=".npz") as unpacked:
        with lzma.open(path) as packed:
            shutil.copyfileobj(packed, unpacked, _CHUNK)
        unpacked.flush()
        try:
            with zipfile.ZipFile(unpacked) as archive:
                arrays = {name: _mapped(unpacked, archive, name) for name in ("ptc", "nextmove")}
                small = {name: _read(archive, name) for name in ("pc", "classes", "nextmove_row", "out_feat")}
        except (KeyError, ValueError) as exc:
            raise ConfigurationError(
                f"language model {path} has another format ({exc}): install py3langid 0.4 to 0.5"
            ) from exc
    codes = small["classes"].tolist()
    columns = [place for place, code in enumerate(codes) if code in languages]
    return Model(
        arrays["ptc"].reshape(-1, len(codes))[:, columns],
        small["pc"][columns],
        [codes[place] for place in columns],
        arrays["nextmove"].data,
        array("i", small["out_feat"].tolist()),
        norm_probs=True,
        tk_row=array("H", small["nextmove_row"].tolist()),
    )


def _mapped(file: IO[bytes], archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    """Return a member's array, flat, over a mapping of the file of its own; raises ValueError if it is compressed."""
    member = archive.getinfo(f"{name}.npy")
    if member.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    with archive.open(member) as stream:
        np.lib.format.read_magic(stream)
        shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
        header = stream.tell()
    file.seek(member.header_offset + 26)  # of the lengths of name and extra field in a local file header
    start = member.header_offset + 30 + sum(struct.unpack("<HH", file.read(4))) + header
    whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)  # the array keeps it open
    return np.frombuffer(whole, dtype, count=int(np.prod(shape)), offset=start)


def _read(archive: zipfile.ZipFile, name: str) -> npt.NDArray[Any]:
    with archive.open(f"{name}.npy") as stream:
        return np.asarray(np.lib.format.read_array(stream, allow_pickle=False))
