"""Drift: what a week of messages looks like beside what the model was trained on, and whether that matters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.stored import Window

WEEK = timedelta(days=7)
LEAST_MESSAGES = 200  # of a week; fewer say nothing
STEADY, WATCH, ALERT, FEW = "steady", "watch", "alert", "few"
_RANK = {FEW: 0, STEADY: 1, WATCH: 2, ALERT: 3}
# Shares: the bounds that credit scoring has used for the population stability index since Siddiqi 2006.
# Embeddings: on the shipped examples a random 200 of 4,543 messages measure 0.001, a label grown by 30% of the traffic
# 0.01 to 0.02, messages written by another kind of people 0.05, another language 0.4 and more.
BOUNDS: Mapping[str, tuple[float, float]] = {  # measure -> watch, alert
    "labels": (0.10, 0.25),
    "languages": (0.10, 0.25),
    "confidence": (0.03, 0.06),
    "embedding": (0.02, 0.05),
}
_MOVERS = 3  # labels named in a reason
_SURE = 3.0  # standard errors from which a loss of confidence is no chance


@dataclass(frozen=True, kw_only=True)
class Observed:
    """What one model said of one week."""

    window: Window
    messages: int
    intents: Mapping[str, int]
    languages: Mapping[str, int]
    confidence: float  # mean of the intent confidence
    deviation: float  # its standard deviation
    embedding_mean: FloatArray | None  # (d,), over a sample
    sampled: int  # messages in that sample


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What weeks are held against; a part that is None cannot be compared."""

    source: str  # training, or past: the weeks before
    messages: int
    intents: Mapping[str, float] | None  # shares
    languages: Mapping[str, float] | None
    confidence: float | None
    embedding_mean: FloatArray | None


@dataclass(frozen=True, kw_only=True)
class Measure:
    name: str  # labels, languages, confidence, embedding
    value: float
    watch: float
    alert: float
    state: str
    because: str


@dataclass(frozen=True, kw_only=True)
class DriftWeek:
    start: datetime
    end: datetime
    messages: int
    state: str  # the worst of its measures; few: too few messages to tell
    measures: tuple[Measure, ...]
    intents: Mapping[str, float]  # shares
    languages: Mapping[str, float]
    confidence: float


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    model: ModelIdentity
    reference: Reference
    weeks: tuple[DriftWeek, ...]  # oldest first
    missing: tuple[str, ...]  # measures that the reference lacks

    @property
    def state(self) -> str:
        """The state of the newest week with enough messages."""
        return next((week.state for week in reversed(self.weeks) if week.state != FEW), FEW)


def weeks_before(at: datetime, count: int) -> list[Window]:
    """Return the newest weeks, oldest first, each from Monday 00:00 UTC; the last one holds ``at``."""
    monday = (at - timedelta(days=at.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    return [Window(start=monday - n * WEEK, end=monday - (n - 1) * WEEK) for n in reversed(range(count))]


def training_reference(raw: Mapping[str, Any]) -> Reference:
    """Read the reference that training wrote into a bundle's calibration; older bundles carry less of it."""
    mean = raw.get("embedding_mean")
    return Reference(
        source="training",
        messages=int(raw.get("messages", 0)),
        intents=raw.get("intent_shares"),
        languages=raw.get("language_shares"),
        confidence=raw.get("mean_confidence"),
        embedding_mean=None if mean is None else np.asarray(mean, dtype=np.float32),
    )


def past_reference(weeks: Sequence[Observed]) -> Reference:
    """Take earlier weeks together as the reference."""
    messages = sum(week.messages for week in weeks)
    means = [(week.embedding_mean, week.sampled) for week in weeks if week.embedding_mean is not None and week.sampled]
    mean = None
    if means:
        mean = np.average([vector for vector, _ in means], axis=0, weights=[sampled for _, sampled in means])
    return Reference(
        source="past",
        messages=messages,
        intents=_pooled([week.intents for week in weeks]),
        languages=_pooled([week.languages for week in weeks]),
        confidence=sum(week.confidence * week.messages for week in weeks) / messages if messages else None,
        embedding_mean=mean,
    )


def assess(week: Observed, reference: Reference) -> DriftWeek:
    """Measure a week against a reference."""
    measures: list[Measure] = []
    if week.messages >= LEAST_MESSAGES and reference.messages:
        measures = _measures(week, reference)
    state = max((measure.state for measure in measures), key=_RANK.__getitem__, default=FEW)
    return DriftWeek(
        start=week.window.start,
        end=week.window.end,
        messages=week.messages,
        state=state,
        measures=tuple(measures),
        intents=shares(week.intents),
        languages=shares(week.languages),
        confidence=week.confidence,
    )


def missing_parts(reference: Reference) -> tuple[str, ...]:
    """Return the measures that a reference does not allow."""
    parts = {
        "labels": reference.intents,
        "languages": reference.languages,
        "confidence": reference.confidence,
        "embedding": reference.embedding_mean,
    }
    return tuple(name for name, part in parts.items() if part is None)


def shares(counts: Mapping[str, int]) -> dict[str, float]:
    total = sum(counts.values())
    return {name: count / total for name, count in counts.items()} if total else {}


def stability_index(counts: Mapping[str, int], reference: Mapping[str, float], size: int) -> float:
    """Population stability index of counts against shares that ``size`` messages gave, less what chance alone gives.

    Half a message is added to every cell on both sides; chance gives about (k - 1) (1/n + 1/m).
    """
    names = set(counts) | set(reference)
    total = sum(counts.values())
    index = 0.0
    for name in names:
        now = (counts.get(name, 0) + 0.5) / (total + 0.5 * len(names))
        then = (reference.get(name, 0.0) * size + 0.5) / (size + 0.5 * len(names))
        index += (now - then) * math.log(now / then)
    return max(0.0, index - (len(names) - 1) * (1 / total + 1 / size))


def mean_shift(mean: FloatArray, sampled: int, reference: FloatArray, size: int) -> float:
    """Squared distance of two means of unit vectors in units of the reference's variance, less what chance gives."""
    variance = max(1e-6, 1.0 - float((reference.astype(np.float64) ** 2).sum()))
    distance = float(((mean.astype(np.float64) - reference) ** 2).sum()) / variance
    return max(0.0, distance - 1 / sampled - 1 / size)


def as_data(report: DriftReport) -> dict[str, Any]:
    """Return the report as JSON-ready data."""
    weeks = [asdict(week) for week in report.weeks]
    for week in weeks:
        week["start"], week["end"] = week["start"].isoformat(), week["end"].isoformat()
    return {
        "model": asdict(report.model),
        "state": report.state,
        "reference": {"source": report.reference.source, "messages": report.reference.messages},
        "missing": list(report.missing),
        "weeks": weeks,
    }


def _measures(week: Observed, reference: Reference) -> list[Measure]:
    found = []
    for name, counts, then in (
        ("labels", week.intents, reference.intents),
        ("languages", week.languages, reference.languages),
    ):
        if then is not None:
            value = stability_index(counts, then, reference.messages)
            found.append(_measure(name, value, f"stability index {value:.2f}: {_movers(shares(counts), then)}"))
    if reference.confidence is not None:
        lost = reference.confidence - week.confidence
        sure = lost > _SURE * week.deviation / math.sqrt(week.messages)
        said = f"mean confidence {week.confidence:.3f}, reference {reference.confidence:.3f}"
        found.append(_measure("confidence", max(0.0, lost) if sure else 0.0, said))
    if reference.embedding_mean is not None and week.embedding_mean is not None and week.sampled:
        value = mean_shift(week.embedding_mean, week.sampled, reference.embedding_mean, reference.messages)
        found.append(_measure("embedding", value, f"the mean moved by {value:.3f} of the reference's variance"))
    return found


def _measure(name: str, value: float, because: str) -> Measure:
    watch, alert = BOUNDS[name]
    state = ALERT if value >= alert else WATCH if value >= watch else STEADY
    return Measure(name=name, value=round(value, 4), watch=watch, alert=alert, state=state, because=because)


def _movers(now: Mapping[str, float], then: Mapping[str, float]) -> str:
    names = sorted(set(now) | set(then), key=lambda name: -abs(now.get(name, 0.0) - then.get(name, 0.0)))
    return ", ".join(f"{name} {then.get(name, 0.0):.1%} to {now.get(name, 0.0):.1%}" for name in names[:_MOVERS])


def _pooled(counts: Sequence[Mapping[str, int]]) -> dict[str, float]:
    total: dict[str, int] = {}
    for part in counts:
        for name, count in part.items():
            total[name] = total.get(name, 0) + count
    return shares(total)
