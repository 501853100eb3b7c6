"""Common words of the served languages: what the vocabulary must keep beyond the texts at hand.

Read from the archive of the PyPI package ``wordfreq`` (data CC BY-SA 4.0), which is not installed.
"""

from __future__ import annotations

import gzip
import logging
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import msgpack

log = logging.getLogger(__name__)

PACKAGE, VERSION = "wordfreq", "3.1.1"
LANGUAGES = ("en", "es", "de", "fr", "pt", "ru", "vi", "id", "ar")  # the others' scripts are kept whole
WORDS, CAPITALISED = 20_000, 8_000


def common_words(cache: Path) -> Iterator[str]:
    """Yield the most frequent words of each language, the commonest also with a capital; nothing without a registry."""
    archives = list(cache.glob(f"{PACKAGE}-{VERSION}-*.whl"))
    if not archives:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            str(cache),
            f"{PACKAGE}=={VERSION}",
        ]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            log.warning("%s==%s cannot be downloaded: the vocabulary is chosen on the corpora alone", PACKAGE, VERSION)
            return
        archives = list(cache.glob(f"{PACKAGE}-{VERSION}-*.whl"))
    with zipfile.ZipFile(archives[0]) as archive:
        names = set(archive.namelist())
        for language in LANGUAGES:
            name = next(
                n for n in (f"wordfreq/data/{size}_{language}.msgpack.gz" for size in ("large", "small")) if n in names
            )
            bands = msgpack.unpackb(gzip.decompress(archive.read(name)))[1:]  # words in bands of falling frequency
            words = [word for band in bands for word in band][:WORDS]
            yield from words
            yield from (word.capitalize() for word in words[:CAPITALISED])
