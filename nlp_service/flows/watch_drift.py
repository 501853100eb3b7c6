"""Look at drift every week: measure what is new, keep it, and raise an alert once where it matters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from nlp_service.core.drift import (
    ALERT,
    FEW,
    LEAST_MESSAGES,
    DriftReport,
    DriftWeek,
    Observed,
    Reference,
    assess,
    missing_parts,
    past_reference,
    training_reference,
    weeks_before,
)
from nlp_service.ports import DescribedModel
from nlp_service.ports.learning import DriftStore

WEEKS = 12  # looked at and shown
PAST_WEEKS = 8  # that the past is made of, where it is the reference


@dataclass(frozen=True, kw_only=True)
class WatchDrift:
    """``report`` reads what is kept and is fast; calling it measures first."""

    store: DriftStore
    model: Callable[[], DescribedModel]  # the one that answers now
    now: Callable[[], datetime]
    against: str = "training"  # or past: the weeks before
    tell: Callable[[DriftReport], None] = lambda _: None  # metrics

    def __call__(self, *, weeks: int = WEEKS) -> DriftReport:
        """Measure the weeks that are not kept yet, and the current one anew; raise alerts; return the report."""
        model = self.model().identity
        kept = {week.window.start for week in self.store.weeks(model, limit=weeks)}
        windows = weeks_before(self.now(), weeks)
        for window in windows:
            newest = window in windows[-2:]  # the week that has just ended may have grown since
            if newest or window.start not in kept:
                observed = self.store.observe(window, model)
                if observed.messages:
                    self.store.keep(observed, model, at=self.now())
        report = self.report(weeks=weeks)
        for week in report.weeks:
            if week.state == ALERT:
                self.store.alert(report.model, week, reason=_reason(week), at=self.now())
        self.tell(report)
        return report

    def report(self, *, weeks: int = WEEKS) -> DriftReport:
        """Return what is kept of the model that answers now."""
        model = self.model()
        observed = self.store.weeks(model.identity, limit=weeks + PAST_WEEKS)
        trained = training_reference(model.calibration.reference)
        assessed = []
        reference = trained
        for place, week in enumerate(observed):
            reference = self._reference(trained, observed[max(0, place - PAST_WEEKS) : place])
            assessed.append(assess(week, reference))
        return DriftReport(
            model=model.identity, reference=reference, weeks=tuple(assessed[-weeks:]), missing=missing_parts(reference)
        )

    def _reference(self, trained: Reference, before: tuple[Observed, ...]) -> Reference:
        if self.against == "training" and trained.messages:
            return trained
        return past_reference([week for week in before if week.messages >= LEAST_MESSAGES])


def newest(report: DriftReport) -> DriftWeek | None:
    """Return the newest week that can be judged."""
    return next((week for week in reversed(report.weeks) if week.state != FEW), None)


def values(report: DriftReport) -> Mapping[str, float]:
    """Return the newest week's value of each measure."""
    week = newest(report)
    return {} if week is None else {measure.name: measure.value for measure in week.measures}


def _reason(week: DriftWeek) -> str:
    return "; ".join(measure.because for measure in week.measures if measure.state == ALERT)
