"""What stood before a run: where the themes so far lie in the run's model, and which messages belonged to them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.themes.assign import Anchors, assign
from nlp_service.core.themes.feedback import Feedback
from nlp_service.core.themes.neighbours import IntArray
from nlp_service.core.themes.space import Space, unit
from nlp_service.core.themes.values import Anchor, Theme

LEAST_SEEN = 3  # messages in the run's model from which a theme of another model can be placed
_LOOSEST = 0.1  # share of a theme's own messages that its threshold may leave out where it is placed anew


@dataclass(frozen=True, kw_only=True)
class Before:
    """What was known before the run."""

    themes: tuple[Theme, ...] = ()
    anchors: tuple[Anchor, ...] = ()  # of the run's model
    members: Mapping[str, str] = field(default_factory=dict)  # message -> theme
    space: Space | None = None  # of the run's model
    people: Mapping[str, CorrectedLabels] = field(default_factory=dict)  # message -> what people settled on
    # Of themes that no run of this model has placed: some of their messages as it embeds them, (m, d) each.
    echoes: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Standing:
    """The themes of before in the run's model."""

    anchors: Mapping[str, Anchor] = field(default_factory=dict)  # by theme that goes on
    absorbed: tuple[tuple[str, Anchor], ...] = ()  # of merged themes, each with the theme that goes on
    owners: Mapping[str, str] = field(default_factory=dict)  # message -> theme that goes on

    def of_texts(
        self, feedback: Feedback, embeddings: FloatArray, space: Space, texts: Sequence[Sequence[int]]
    ) -> IntArray:
        """Return the number of the theme that each distinct text belonged to, -1 for none.

        Messages of an earlier run keep the theme that they were assigned to; new ones go by the anchors.
        """
        keys = sorted(self.anchors)
        number = {key: index for index, key in enumerate(keys)}
        first = [rows[0] for rows in texts]
        anchored = [(key, self.anchors[key]) for key in keys] + list(self.absorbed)
        nearest, _ = assign(
            embeddings[first], Anchors.of(space, [(key, one.centroid, one.threshold) for key, one in anchored])
        )
        by_anchor = np.array([number[key] for key, _ in anchored] + [-1], dtype=np.int64)[nearest]
        standing = np.empty(len(texts), dtype=np.int64)
        for index, rows in enumerate(texts):
            told = Counter(
                owner for row in rows if (owner := self.owners.get(feedback.messages[row].message_id)) in number
            )
            standing[index] = number[min(told, key=lambda key: (-told[key], key))] if told else by_anchor[index]
        return standing


def stand(before: Before, feedback: Feedback, embeddings: FloatArray, space: Space, model: ModelIdentity) -> Standing:
    """Place the themes of before in the run's model: by its own anchors, else by their messages as it sees them."""
    successors = {theme.id: theme.merged_into for theme in before.themes if theme.merged_into}
    going_on = {theme.id for theme in before.themes if theme.merged_into is None}
    owners = {message: resolve(owner, successors) for message, owner in before.members.items()}
    anchors = {anchor.theme_id: anchor for anchor in before.anchors if anchor.theme_id in going_on}
    seen: dict[str, list[int]] = defaultdict(list)
    for row, message in enumerate(feedback.messages):
        owner = owners.get(message.message_id)
        if owner is not None and owner in going_on and owner not in anchors:
            seen[owner].append(row)
    for theme in sorted(going_on - set(anchors)):
        rows = [embeddings[seen[theme]]] if theme in seen else []
        rows += [before.echoes[theme]] if theme in before.echoes else []
        if sum(len(part) for part in rows) >= LEAST_SEEN:
            anchors[theme] = _anchor(theme, model, space.place(np.concatenate(rows)))
    absorbed = [(resolve(anchor.theme_id, successors), anchor) for anchor in before.anchors]
    return Standing(
        anchors=anchors,
        absorbed=tuple((key, anchor) for key, anchor in absorbed if key != anchor.theme_id and key in anchors),
        owners=owners,
    )


def _anchor(theme: str, model: ModelIdentity, placed: FloatArray) -> Anchor:
    centroid = unit(placed.mean(axis=0, keepdims=True))[0]
    threshold = float(np.quantile(placed @ centroid, _LOOSEST))
    return Anchor(theme_id=theme, model=model, centroid=centroid, threshold=threshold)


def resolve(theme: str, successors: Mapping[str, str | None]) -> str:
    """Follow merges to the theme that goes on."""
    seen = {theme}
    while (following := successors.get(theme)) and following not in seen:
        theme = following
        seen.add(theme)
    return theme
