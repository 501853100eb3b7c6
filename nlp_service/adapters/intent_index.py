"""Provisional and moved intents in memory, in the space of each model that answers."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import structlog

from nlp_service.adapters.examples import BundledExamples
from nlp_service.contract.inputs import compose
from nlp_service.core.changed_labels import ChangedLabels
from nlp_service.core.label_moves import mapping, rename_taxonomy
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.provisional import ProvisionalHead, fit, widen
from nlp_service.errors import NlpServiceError
from nlp_service.ports import Model
from nlp_service.ports.learning import IntentStore

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Held:
    model: ModelIdentity
    revision: object
    changed: ChangedLabels | None


class IntentIndex:
    """What `Classify` asks before it decides; ``refresh`` is called now and then and after every change."""

    def __init__(
        self, store: IntentStore, *, model: Callable[[], Model], examples: Callable[[], BundledExamples | None]
    ) -> None:
        self._store = store
        self._model = model
        self._examples = examples
        self._held: _Held | None = None
        self._lock = threading.Lock()

    def of(self, model: Model) -> ChangedLabels | None:
        """Return the changes for a model, None where there are none or it was swapped in a moment ago."""
        held = self._held
        return held.changed if held is not None and held.model == model.identity else None

    def refresh(self) -> None:
        """Read the changes again if there are any, or if another model answers."""
        with self._lock:
            model, revision = self._model(), self._store.revision()
            held = self._held
            if held is not None and (held.model, held.revision) == (model.identity, revision):
                return
            self._held = _Held(model=model.identity, revision=revision, changed=self._changed(model))

    def _changed(self, model: Model) -> ChangedLabels | None:
        names = mapping(self._store.moves())
        intents = [intent for intent in self._store.provisional() if intent.id not in model.taxonomy.intents]
        if not names and not intents:
            return None
        taxonomy = widen(rename_taxonomy(model.taxonomy, names), intents)
        head: ProvisionalHead | None = None
        background = self._examples()
        if intents and background is None:
            _log.warning("provisional intents wait for a bundle that carries examples", model=model.identity.version)
        elif intents and background is not None:
            try:
                vectors = {
                    intent.id: np.asarray(model.score([compose(text, ()) for text in intent.examples]).embedding)
                    for intent in intents
                }
                head = fit(vectors, background.vectors(), [example.intent for example in background.examples])
            except NlpServiceError as exc:
                _log.warning("provisional intents cannot be used", reason=str(exc))
        return ChangedLabels(taxonomy=taxonomy, names=names, head=head)
