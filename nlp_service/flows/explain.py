"""Explain a labelling: score the text without each word and see what the label loses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_service.contract.inputs import compose
from nlp_service.core.explain import Carrier, Explanation, Span, explain, groups, without
from nlp_service.core.messages import Message
from nlp_service.ports import Example, ExampleIndex, Scorer

NEAREST = 3


@dataclass(frozen=True, kw_only=True)
class Explained:
    text: str  # as the model read it; spans count its characters
    explanation: Explanation
    nearest: tuple[tuple[Example, float], ...]  # labelled examples of our own corpus with their cosine


@dataclass(frozen=True, kw_only=True)
class Explain:
    scorer: Scorer
    words: Callable[[str], Sequence[Span]]
    examples: Callable[[], ExampleIndex | None] = lambda: None  # those of the model in place

    async def __call__(self, message: Message) -> Explained:
        """Return the words that carried each label, and the nearest labelled examples; one batch of the model."""
        text, context = compose(message.text, message.context)
        spans = groups(self.words(text))
        scored = await self.scorer.score([(text, context), *((without(text, span), context) for span in spans)])
        index = self.examples()
        nearest = index.nearest(np.asarray(scored.scores.embedding[0]), NEAREST) if index else ()
        return Explained(
            text=text, explanation=explain(text, spans, scored.scores, scored.model.calibration), nearest=nearest
        )


def as_data(explained: Explained) -> dict[str, object]:
    """Return JSON-ready data."""
    return {
        "text": explained.text,
        "words": {
            head: [_carrier(carrier) for carrier in getattr(explained.explanation, head)]
            for head in ("intent", "sentiment", "emotion")
        },
        "nearest": [
            {"text": example.text, "intent": example.intent, "similarity": round(similarity, 4)}
            for example, similarity in explained.nearest
        ],
    }


def _carrier(carrier: Carrier) -> dict[str, object]:
    return {"text": carrier.text, "start": carrier.start, "end": carrier.end, "weight": carrier.weight}
