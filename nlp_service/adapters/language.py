"""Language identification with py3langid's model behind the pure decisions of core.language."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from threading import Lock
from typing import Any

from nlp_service.adapters.language_model import read_model
from nlp_service.core.labelling import Language
from nlp_service.core.language import NEIGHBOURS, Served, identify
from nlp_service.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class LanguageIdentifier:
    """Offline and safe from several threads: restricted models are made once and never changed."""

    served: Served
    model: Any  # py3langid's identifier over all languages that may be asked about
    restricted: dict[tuple[str, ...], Any]
    lock: Lock

    @classmethod
    def load(cls, served: Sequence[str], default: str | None = None) -> LanguageIdentifier:
        """Read the model that comes with py3langid (about a second).

        Args:
            served: ISO 639-1 codes that the label model knows.
            default: what to take for a text that shows no language, such as "ok" or "iPhone 15".

        Raises:
            ConfigurationError: the default is not served.
        """
        if default is not None and default not in served:
            raise ConfigurationError(f"default language {default!r} is not served; served are {', '.join(served)}")
        model = read_model({*served, *NEIGHBOURS})
        return cls(served=Served(codes=tuple(served), default=default), model=model, restricted={}, lock=Lock())

    def identify(self, text: str) -> Language:
        """Return the language of a normalised text."""
        return identify(text, self.served, self._rank)

    def _rank(self, text: str, among: tuple[str, ...]) -> Sequence[tuple[str, float]]:
        ranked: Sequence[tuple[str, float]] = self._among(among).rank(text)
        return ranked

    def _among(self, codes: tuple[str, ...]) -> Any:
        known = self.restricted.get(codes)
        if known is None:
            with self.lock:
                known = copy(self.model)  # shares its automaton; only the columns of the languages are its own
                known.set_languages([code for code in codes if code in known.labels])
                self.restricted[codes] = known
        return known
