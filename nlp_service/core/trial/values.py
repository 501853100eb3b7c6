"""A trial as values: what was judged, every check, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nlp_service.contract.corpus import Record

PROMOTE = "promote"
HOLD = "hold"  # not shown to be worse, nor to be better: a person decides
REJECT = "reject"

BETTER = "better"
KEPT = "kept"
DOUBTFUL = "doubtful"  # probably worse than tolerated
WORSE = "worse"  # surely worse than tolerated


@dataclass(frozen=True, kw_only=True)
class Judged:
    """One labelled message with what both models answered; answers as `nlp-service classify` writes them."""

    set: str  # the file that it comes from
    record: Record
    before: Mapping[str, Any]  # the accepted model's answer
    after: Mapping[str, Any]  # the candidate's


@dataclass(frozen=True, kw_only=True)
class RobustnessCase:
    """A minimal change with an expected answer, and what both models answered to it and to its base text."""

    family: str
    expect: Mapping[str, Any]
    known_failure: bool  # reported, not counted against a model
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    base_before: Mapping[str, Any] | None = None  # answer to expect["same_as"]
    base_after: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What labelling the same messages cost one model."""

    cpu_seconds: float  # of the whole command, loading included
    megabytes: float  # of the bundle's files
    memory_mb: float  # greatest resident memory of the command


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How much worse a candidate may be; read from the limits file."""

    sure: float  # probability from which a finding counts, shared out among the checks of its kind
    likely: float  # probability from which a head that may be worse holds a candidate back
    least_gain: float  # a head must surely gain more than this for a promotion
    least_messages: int  # a label, language or slice with fewer is not judged
    tolerance: Mapping[str, float]  # kind of check -> greatest loss allowed
    cpu_ratio: float  # candidate's to accepted's, at most
    size_ratio: float
    memory_ratio: float
    resamples: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Check:
    """One figure of both models side by side."""

    kind: str  # head, label, language, slice, calibration, promise, coverage, robustness, cost
    name: str
    set: str  # "" where all sets are pooled
    messages: int
    before: float
    after: float
    low: float  # 95% interval of after - before
    high: float
    tolerance: float
    outcome: str  # better, kept, doubtful or worse

    @property
    def change(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, kw_only=True)
class Verdict:
    decision: str  # promote, hold or reject
    reasons: tuple[str, ...]
    checks: tuple[Check, ...]
    unjudged: tuple[str, ...] = ()  # labels, languages and slices with too few messages
