"""Everything about labels that changed since the model was trained, applied to what it says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.label_moves import rename
from nlp_service.core.labelling import FloatArray, Labels
from nlp_service.core.provisional import ProvisionalHead, revise


@dataclass(frozen=True, kw_only=True)
class ChangedLabels:
    taxonomy: Taxonomy  # the model's, with new names and provisional intents behind its own
    names: Mapping[str, str]  # old intent -> today's
    head: ProvisionalHead | None  # None: no provisional intent

    def apply(self, labels: Sequence[Labels], embeddings: FloatArray) -> list[Labels]:
        """Return the labels of n messages in today's names, provisional intents included."""
        renamed = [rename(own, self.names) for own in labels] if self.names else list(labels)
        return renamed if self.head is None else revise(renamed, embeddings, self.head)
