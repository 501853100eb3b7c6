"""Do themes keep their identity through windows and models, and does what they stand for stay the same?

Real messages come in at random over eight weeks and are mined as the service does it. ``kept`` is the share of the
first run's themes that the second run goes on with: same id, not merged away, heard by LEAST_HEARD messages at least.
``agree`` is the share of messages in a theme in both runs that are in the same one: an identity that moved over to
another matter would show here. ``new`` is the share of the second run's themes that the first did not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.theme_planted import message
from benchmarks.theme_sets import embed, known_sets, stream_texts
from nlp_service.adapters.segmentation import Segmentation
from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.stored import LabelledMessage, Window
from nlp_service.core.themes.discover import discover
from nlp_service.core.themes.mining import Mined, Setting, mine
from nlp_service.core.themes.name import Segment
from nlp_service.core.themes.standing import Before
from nlp_service.ports import Model

START = datetime(2026, 1, 5, tzinfo=UTC)
SPAN = timedelta(days=28)  # discovery and the reported window: two that touch share no message
LEAST_HEARD = 3
ECHOES = 20  # as flows/mine.py


@dataclass(frozen=True)
class Stream:
    messages: list[LabelledMessage]
    embeddings: FloatArray


def run_stability(model: Model, other: Model | None, corpora: Path, cache: Path, *, base: int) -> dict[str, Any]:
    """Return what is kept from window to window, and from ``model`` to ``other`` where there is one."""
    texts = stream_texts(corpora)[:base]
    order = np.random.default_rng(1).permutation(len(texts))
    random = np.random.default_rng(2)
    seconds = np.sort(random.uniform(0, 2 * SPAN.total_seconds(), len(texts)))
    messages = [
        message(number, START + timedelta(seconds=float(at)), texts[row], "华东", random)
        for number, (row, at) in enumerate(zip(order, seconds, strict=True))
    ]
    segment = Segmentation.load().words
    stream = Stream(messages, embed(model, texts, cache)[order])
    first = run(stream, Before(), START + SPAN, model.identity, segment)
    before = after(first)
    found = {
        "messages": len(texts),
        "themes": len(heard(first)),
        "a_week_later": compare(first, run(stream, before, START + SPAN * 1.25, model.identity, segment)),
        "next_window_no_message_shared": compare(first, run(stream, before, START + 2 * SPAN, model.identity, segment)),
        "warm_against_cold": _warm_against_cold(model, corpora, cache),
    }
    if other is not None:
        seen = Stream(messages, embed(other, texts, cache)[order])
        carried = replace(before, anchors=(), space=None)
        relabelled = run(seen, carried, START + SPAN, other.identity, segment)
        found["new_model_history_relabelled"] = compare(first, relabelled)
        rows = [row for row, entry in enumerate(messages) if entry.occurred_at >= START + SPAN]
        fresh = Stream([messages[row] for row in rows], seen.embeddings[rows])
        echoed = replace(carried, echoes=echoes(first, seen))
        later = run(fresh, echoed, START + 2 * SPAN, other.identity, segment)
        found["new_model_new_messages_alone"] = compare(first, later)
        found["new_model"] = f"{model.identity.version} to {other.identity.name} {other.identity.version}"
    return found


def run(stream: Stream, before: Before, end: datetime, model: ModelIdentity, segment: Segment) -> Mined:
    rows = [row for row, entry in enumerate(stream.messages) if entry.occurred_at < end]
    setting = Setting(
        window=Window(start=end - SPAN, end=end),
        discovery=SPAN,
        model=model,
        routes={},
        scope_threshold=2.0,
        run_id=f"{model.version} {end.isoformat()}",
    )
    return mine([stream.messages[row] for row in rows], stream.embeddings[rows], before, setting, segment)


def after(mined: Mined) -> Before:
    owners = {member.message_id: member.theme_id for member in mined.members}
    return Before(themes=mined.themes, anchors=mined.anchors, members=owners, space=mined.space)


def echoes(mined: Mined, seen: Stream) -> dict[str, FloatArray]:
    """Return each theme's newest messages as the other model embeds them, as flows/mine.py has them read."""
    row_of = {entry.message_id: row for row, entry in enumerate(seen.messages)}
    rows: dict[str, list[int]] = {}
    for member in sorted(mined.members, key=lambda member: member.occurred_at, reverse=True):
        if len(rows.setdefault(member.theme_id, [])) < ECHOES:
            rows[member.theme_id].append(row_of[member.message_id])
    return {theme: seen.embeddings[entry] for theme, entry in rows.items()}


def heard(mined: Mined) -> set[str]:
    return {
        theme.id
        for theme in mined.themes
        if theme.merged_into is None and theme.measure is not None and theme.measure.counted >= LEAST_HEARD
    }


def compare(first: Mined, second: Mined) -> dict[str, float]:
    one, two = heard(first), heard(second)
    owners = {member.message_id: member.theme_id for member in first.members}
    both = [owners[member.message_id] == member.theme_id for member in second.members if member.message_id in owners]
    return {
        "kept": round(len(one & two) / max(len(one), 1), 4),
        "agree": round(float(np.mean(both)), 4) if both else float("nan"),
        "new": round(len(two - one) / max(len(two), 1), 4),
        "themes": len(two),
    }


def _warm_against_cold(model: Model, corpora: Path, cache: Path) -> dict[str, float]:
    """What standing themes cost: agreement with known topics when a tenth, or a half, was mined before the whole."""
    texts, truth = known_sets(corpora)["jddc_uss"]()
    embeddings = embed(model, texts, cache)
    order = np.random.default_rng(3).permutation(len(texts))
    found = {"nmi_cold": _nmi(truth, discover(embeddings).labels(len(texts)))}
    for share in (0.1, 0.5):
        early = order[: int(share * len(texts))]
        standing = np.full(len(texts), -1, dtype=np.int64)
        standing[early] = discover(embeddings[early]).labels(len(early))
        labels = discover(embeddings, standing=standing).labels(len(texts))
        found[f"nmi_after_{share:.0%}"] = _nmi(truth, labels)
    return found


def _nmi(truth: Sequence[int], labels: Sequence[int]) -> float:
    return round(float(normalized_mutual_info_score(truth, labels)), 4)
