"""Hold a candidate against the accepted model: label the same messages with both, judge, keep the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from nlp_service.contract.corpus import Record
from nlp_service.core.trial.measures import reliability
from nlp_service.core.trial.report import as_data, html, markdown
from nlp_service.core.trial.values import Judged, Limits, RobustnessCase, Verdict
from nlp_service.core.trial.verdict import Trial, decide
from nlp_service.ports.learning import BundleLabeller

Progress = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One of the two models."""

    id: str
    labeller: BundleLabeller


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A verdict with its report in three forms."""

    verdict: Verdict
    data: Mapping[str, Any]  # JSON-ready
    markdown: str
    html: str


@dataclass(frozen=True, kw_only=True)
class TryCandidate:
    limits: Limits
    target_accuracy: float  # promised on what is answered automatically
    now: Callable[[], datetime]
    say: Progress = lambda _: None
    names: Mapping[str, str] = field(default_factory=dict)  # old intent -> today's: both models are read in these

    def __call__(
        self,
        candidate: Side,
        accepted: Side,
        *,
        sets: Mapping[str, Sequence[Record]],
        cases: Sequence[Mapping[str, Any]],
        identical: bool,
    ) -> Tried:
        """Judge ``candidate``; ``sets`` are labelled messages by name, ``cases`` the robustness suite.

        Raises:
            InputError: no labelled message.
            JobError: a bundle could not label them; the message says why.
        """
        records = [record for name in sets for record in sets[name]]
        bases = [_base(case) for case in cases]
        asked = [*records, *(_case(case) for case in cases), *(base for base in bases if base is not None)]
        self.say(f"labelling {len(asked)} messages with {accepted.id}")
        before, cost_before = accepted.labeller.label(asked)
        self.say(f"labelling {len(asked)} messages with {candidate.id}")
        after, cost_after = candidate.labeller.label(asked)
        names = [name for name in sets for _ in sets[name]]
        before, after = ([renamed(answer, self.names) for answer in side] for side in (before, after))
        judged = [
            Judged(set=name, record=today(record, self.names), before=old, after=new)
            for name, record, old, new in zip(names, records, before, after, strict=False)
        ]
        robustness = _joined(cases, bases, before[len(records) :], after[len(records) :])
        self.say(f"comparing, {self.limits.resamples} resamples")
        verdict = decide(
            Trial(
                judged=judged,
                robustness=robustness,
                before=cost_before,
                after=cost_after,
                identical=identical,
                target_accuracy=self.target_accuracy,
            ),
            self.limits,
        )
        about = {
            "candidate": candidate.id,
            "accepted": accepted.id,
            "at": self.now().isoformat(timespec="seconds"),
            "sets": ", ".join(f"{name} ({len(rows)})" for name, rows in sets.items()),
            "robustness cases": str(len(cases)),
        }
        diagrams = {
            accepted.id: reliability([(item.record, item.before) for item in judged]),
            candidate.id: reliability([(item.record, item.after) for item in judged]),
        }
        return Tried(
            verdict=verdict,
            data={**about, **as_data(verdict), "reliability": diagrams},
            markdown=markdown(verdict, about),
            html=html(verdict, about, diagrams),
        )


def today(record: Record, names: Mapping[str, str]) -> Record:
    """Return a labelled message with its intent in today's name."""
    return replace(record, intent=names.get(record.intent or "", record.intent))


def renamed(answer: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    """Return an answer with its intent in today's name."""
    label = answer["intent"]["label"]
    return {**answer, "intent": {**answer["intent"], "label": names[label]}} if label in names else answer


def _case(case: Mapping[str, Any]) -> Record:
    return Record(text=case["text"], context=tuple(case.get("context", ())))


def _base(case: Mapping[str, Any]) -> Record | None:
    base = case["expect"].get("same_as")
    return None if base is None else Record(text=base, context=tuple(case.get("context", ())))


def _joined(
    cases: Sequence[Mapping[str, Any]],
    bases: Sequence[Record | None],
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
) -> list[RobustnessCase]:
    """Put the answers to cases and then to their base texts back to the cases."""
    joined = []
    next_base = len(cases)
    for place, (case, base) in enumerate(zip(cases, bases, strict=True)):
        at = None
        if base is not None:
            at, next_base = next_base, next_base + 1
        joined.append(
            RobustnessCase(
                family=case["family"],
                expect=case["expect"],
                known_failure=bool(case.get("known_failure", False)),
                before=before[place],
                after=after[place],
                base_before=None if at is None else before[at],
                base_after=None if at is None else after[at],
            )
        )
    return joined
