"""From labelled messages and two models' answers to figures that can be resampled.

Every figure is a function of sums over conversations, so that a bootstrap needs one matrix product: a conversation is
drawn whole, because its turns are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nlp_service.contract.corpus import Record
from nlp_service.contract.robustness import STEPS, points
from nlp_service.core.trial.values import Judged, RobustnessCase

Floats = npt.NDArray[np.float64]
Answer = Mapping[str, object]
BINS = 15  # of the expected calibration error
SHORT_TEXT = 12  # characters


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One figure of both models: columns of sums, and what turns summed columns (…, columns) into a value (…)."""

    kind: str
    name: str
    set: str
    messages: int
    before: Floats  # (rows, columns)
    after: Floats
    rows: npt.NDArray[np.int64]  # which rows of the trial these are
    value: Callable[[Floats], Floats]
    falling: bool = False  # the smaller, the better


def figures(judged: Sequence[Judged], *, target: float) -> Iterator[Figure]:
    """Yield heads by set, then labels, languages, slices, calibration, promise and coverage over all sets."""
    sets = sorted({item.set for item in judged})
    for name in sets:
        chosen = [row for row, item in enumerate(judged) if item.set == name]
        yield from _heads(judged, chosen, name)
    yield from _labels(judged)
    yield from _slices(judged)
    for head in ("intent", "sentiment", "emotion"):
        yield from _calibration(judged, head)
    yield from _promise(judged, target)


def robustness_figures(cases: Sequence[RobustnessCase], start: int) -> Iterator[Figure]:
    """Yield the share of points passed over all cases and by family; the first case is row ``start`` of the trial."""
    counted = [place for place, case in enumerate(cases) if not case.known_failure]
    families = sorted({cases[place].family for place in counted})
    for name in ("all", *families):
        chosen = [place for place in counted if name in ("all", cases[place].family)]
        before = [points(cases[p].expect, cases[p].before, cases[p].base_before) for p in chosen]
        after = [points(cases[p].expect, cases[p].after, cases[p].base_after) for p in chosen]
        yield _share(
            "robustness",
            name,
            "",
            np.array(chosen, dtype=np.int64) + start,
            [(float(sum(p)), float(len(p))) for p in before],
            [(float(sum(p)), float(len(p))) for p in after],
        )


def _heads(judged: Sequence[Judged], chosen: Sequence[int], name: str) -> Iterator[Figure]:
    for head in ("intent", "sentiment", "emotion", "priority"):
        rows = [row for row in chosen if truth(judged[row].record, head) is not None]
        if rows:
            yield _accuracy("head", head, name, judged, rows, head)
    rows = [row for row in chosen if judged[row].record.flags is not None]
    if rows:
        pairs = [(set(judged[row].record.flags or ()), judged[row]) for row in rows]
        before = [_overlap(wanted, _flags(item.before)) for wanted, item in pairs]
        after = [_overlap(wanted, _flags(item.after)) for wanted, item in pairs]
        yield _share("head", "flags", name, np.array(rows), before, after)


def _labels(judged: Sequence[Judged]) -> Iterator[Figure]:
    """F1 of every intent and flag: 2 * hits / (wanted + given)."""
    rows = [row for row, item in enumerate(judged) if item.record.intent is not None]
    for label in sorted({str(judged[row].record.intent) for row in rows}):
        before = [_single(judged[row].record.intent, _label(judged[row].before, "intent"), label) for row in rows]
        after = [_single(judged[row].record.intent, _label(judged[row].after, "intent"), label) for row in rows]
        wanted = sum(judged[row].record.intent == label for row in rows)
        yield _share("label", label, "", np.array(rows), before, after, messages=wanted)
    rows = [row for row, item in enumerate(judged) if item.record.flags is not None]
    for flag in sorted({flag for row in rows for flag in judged[row].record.flags or ()}):
        kept = [set(judged[row].record.flags or ()) & {flag} for row in rows]
        before = [_overlap(w, _flags(judged[row].before) & {flag}) for w, row in zip(kept, rows, strict=True)]
        after = [_overlap(w, _flags(judged[row].after) & {flag}) for w, row in zip(kept, rows, strict=True)]
        yield _share("label", flag, "", np.array(rows), before, after, messages=sum(map(len, kept)))


def _slices(judged: Sequence[Judged]) -> Iterator[Figure]:
    parts: dict[tuple[str, str], list[int]] = {}
    for row, item in enumerate(judged):
        if item.record.intent is None:
            continue
        for key in slices(item.record):
            parts.setdefault(key, []).append(row)
    for (kind, name), rows in sorted(parts.items()):
        yield _accuracy(kind, name, "", judged, rows, "intent")


def slices(record: Record) -> tuple[tuple[str, str], ...]:
    """Return the (kind, name) of the parts that a message belongs to."""
    return (
        ("language", record.lang),
        ("slice", "with context" if record.context else "without context"),
        ("slice", "short text" if len(record.text) <= SHORT_TEXT else "long text"),
        ("slice", f"source {record.source or 'not named'}"),
    )


def _calibration(judged: Sequence[Judged], head: str) -> Iterator[Figure]:
    """Expected calibration error: the gaps of equal bins of confidence, summed, over the number of messages."""
    rows = [row for row, item in enumerate(judged) if truth(item.record, head) is not None]
    if not rows:
        return
    columns = []
    for side in ("before", "after"):
        table = np.zeros((len(rows), BINS + 1))
        for place, row in enumerate(rows):
            answer = getattr(judged[row], side)
            confidence = float(answer[head]["confidence"])
            right = _label(answer, head) == truth(judged[row].record, head)
            table[place, min(int(confidence * BINS), BINS - 1)] = confidence - right
            table[place, BINS] = 1.0
        columns.append(table)
    yield Figure(
        kind="calibration",
        name=head,
        set="",
        messages=len(rows),
        before=columns[0],
        after=columns[1],
        rows=np.array(rows),
        value=_gap,
        falling=True,
    )


def _promise(judged: Sequence[Judged], target: float) -> Iterator[Figure]:
    """How far accuracy on what is answered automatically falls short of the target, and the share answered."""
    rows = [row for row, item in enumerate(judged) if item.record.intent is not None]
    if not rows:
        return
    before = [_automatic(judged[row].before, judged[row].record) for row in rows]
    after = [_automatic(judged[row].after, judged[row].record) for row in rows]
    short = _share("promise", f"{target:.0%} of what is answered", "", np.array(rows), before, after)
    yield Figure(
        kind=short.kind,
        name=short.name,
        set="",
        messages=len(rows),
        before=short.before,
        after=short.after,
        rows=short.rows,
        value=lambda sums: np.maximum(0.0, target - _ratio_or(sums, target)),
        falling=True,
    )
    answered = [[(size, 1.0) for _, size in side] for side in (before, after)]
    yield _share("coverage", "answered automatically", "", np.array(rows), answered[0], answered[1])


def truth(record: Record, head: str) -> str | None:
    """Return the label that a person gave, None where the record has none."""
    if head == "sentiment":
        return None if record.sentiment is None else STEPS[record.sentiment]
    value: str | None = getattr(record, head)
    return value


def _accuracy(kind: str, name: str, of: str, judged: Sequence[Judged], rows: Sequence[int], head: str) -> Figure:
    sides = [
        [(float(_label(getattr(judged[row], side), head) == truth(judged[row].record, head)), 1.0) for row in rows]
        for side in ("before", "after")
    ]
    return _share(kind, name, of, np.array(rows), sides[0], sides[1])


def _share(
    kind: str,
    name: str,
    of: str,
    rows: npt.NDArray[np.int64],
    before: Sequence[tuple[float, float]],
    after: Sequence[tuple[float, float]],
    messages: int | None = None,
) -> Figure:
    return Figure(
        kind=kind,
        name=name,
        set=of,
        messages=len(rows) if messages is None else messages,
        before=np.array(before, dtype=np.float64).reshape(-1, 2),
        after=np.array(after, dtype=np.float64).reshape(-1, 2),
        rows=rows,
        value=_ratio,
    )


def _ratio(sums: Floats) -> Floats:
    return _ratio_or(sums, 0.0)


def _ratio_or(sums: Floats, empty: float) -> Floats:
    sizes = sums[..., 1]
    return np.where(sizes > 0, sums[..., 0] / np.maximum(sizes, 1e-12), empty)


def _gap(sums: Floats) -> Floats:
    gaps: Floats = np.abs(sums[..., :BINS]).sum(-1) / np.maximum(sums[..., BINS], 1e-12)
    return gaps


def _single(wanted: str | None, given: str, label: str) -> tuple[float, float]:
    return 2.0 * (wanted == given == label), float(wanted == label) + float(given == label)


def _overlap(wanted: set[str], given: set[str]) -> tuple[float, float]:
    return 2.0 * len(wanted & given), float(len(wanted) + len(given))


def _automatic(answer: Answer, record: Record) -> tuple[float, float]:
    """Return (right, 1) for what is answered without a person, (0, 0) for the rest."""
    human = answer["needs_human"]
    if isinstance(human, Mapping) and human["value"]:
        return 0.0, 0.0
    return float(_label(answer, "intent") == record.intent), 1.0


def _label(answer: Answer, head: str) -> str:
    part = answer[head]
    assert isinstance(part, Mapping)
    return str(part["level" if head == "priority" else "label"])


def _flags(answer: Answer) -> set[str]:
    flags = answer["flags"]
    return {str(flag["label"]) for flag in flags} if isinstance(flags, list) else set()


def reliability(pairs: Sequence[tuple[Record, Answer]], bins: int = 10) -> list[dict[str, float]]:
    """Return mean confidence, accuracy and messages of each filled bin of the intent confidence."""
    groups: dict[int, list[tuple[float, bool]]] = {}
    for record, answer in pairs:
        if record.intent is None:
            continue
        intent = answer["intent"]
        assert isinstance(intent, Mapping)
        confidence = float(intent["confidence"])
        groups.setdefault(min(int(confidence * bins), bins - 1), []).append(
            (confidence, intent["label"] == record.intent)
        )
    return [
        {
            "confidence": sum(c for c, _ in rows) / len(rows),
            "accuracy": sum(r for _, r in rows) / len(rows),
            "n": float(len(rows)),
        }
        for _, rows in sorted(groups.items())
    ]
