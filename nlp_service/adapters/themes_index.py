"""Themes in memory: a message is matched within the request, without the database."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import structlog

from nlp_service.core.labelling import Labelling, ModelIdentity, ThemeMatch
from nlp_service.core.themes.assign import Anchors, themes_of
from nlp_service.errors import NlpServiceError

REFRESH = 5.0  # seconds until a change made by another process is seen
MUTE_INTENTS = ("smalltalk", "human_agent")  # carry no matter, as in mining
log = structlog.get_logger(__name__)


class IndexSource(Protocol):
    """What the index reads from."""

    def index(self, model: ModelIdentity) -> tuple[Anchors, Mapping[str, str]] | None: ...
    def revision(self) -> tuple[int, datetime | None]: ...


class ThemeIndex:
    """ports.ThemeMatcher; holds each served model's anchors and refreshes them in the background."""

    def __init__(self, source: IndexSource, *, scope_threshold: float = 1.0, every: float = REFRESH) -> None:
        self._source = source
        self._scope_threshold = scope_threshold
        self._every = every
        self._held: dict[ModelIdentity, tuple[Anchors, Mapping[str, str]] | None] = {}
        self._revision: tuple[int, datetime | None] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="theme-index", daemon=True)

    def start(self, model: ModelIdentity) -> None:
        """Load the model's themes and keep them fresh until ``close``."""
        self._held[model] = None
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def refresh(self) -> None:
        """Read the themes again if any changed."""
        revision = self._source.revision()
        if revision != self._revision:
            for model in list(self._held):
                self._held[model] = self._source.index(model)
            self._revision = revision

    def match(self, labelling: Labelling) -> tuple[ThemeMatch, ...]:
        """Return the themes above their own thresholds, nearest first; nothing for small talk and foreign matters."""
        labels = labelling.labels
        if labels.intent.label in MUTE_INTENTS or labels.out_of_scope >= self._scope_threshold:
            return ()
        if labelling.model not in self._held:  # a model promoted meanwhile: from the next refresh on
            self._held[labelling.model] = None
            self._revision = None
        held = self._held[labelling.model]
        if held is None:
            return ()
        anchors, titles = held
        return tuple(
            ThemeMatch(theme_id=key, title=titles[key], similarity=round(similarity, 4))
            for key, similarity in themes_of(labelling.embedding, anchors)
            if key in titles
        )

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self.refresh()
            except NlpServiceError as exc:
                log.warning("themes not refreshed", reason=str(exc))
