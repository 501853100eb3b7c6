"""The words of the pages in each language, kept as data beside this file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

LANGUAGES = ("zh", "en")
DEFAULT = "zh"


@dataclass(frozen=True, kw_only=True)
class Words:
    language: str
    texts: Mapping[str, str]

    def text(self, key: str, **values: object) -> str:
        """Return a text with its values put in; raises KeyError for a key that does not exist."""
        return self.texts[key].format(**values) if values else self.texts[key]

    def label(self, identifier: str) -> str | None:
        """Return the name of an identifier where the taxonomy gives none in this language."""
        return self.texts.get(f"label.{identifier}")


@cache
def words_of(language: str) -> Words:
    path = Path(__file__).parent / f"{language}.json"
    return Words(language=language, texts=json.loads(path.read_text(encoding="utf-8")))


def choose_language(chosen: str | None, accepted: str) -> str:
    """Return the language chosen before, else the first that the browser asks for and we speak."""
    if chosen in LANGUAGES:
        return str(chosen)
    for entry in accepted.split(","):
        tag = entry.partition(";")[0].strip().lower().partition("-")[0]
        if tag in LANGUAGES:
            return tag
    return DEFAULT
