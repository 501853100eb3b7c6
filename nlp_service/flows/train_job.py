"""Training as a job: the run is found again after a crash and goes on, progress is read off its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from nlp_service.core.train_log import parse_stage, parse_step
from nlp_service.ports import JobContext


class Train(Protocol):
    """Trains a candidate and takes it in; returns its version, metrics and hold-out as JSON-ready data."""

    def __call__(
        self, params: Mapping[str, Any], *, say: Callable[[str], None], check: Callable[[], None]
    ) -> Mapping[str, Any]: ...


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """ports.JobHandler for kind ``train``."""

    train: Train

    def __call__(self, context: JobContext) -> Mapping[str, Any]:
        stage = "train"

        def say(line: str) -> None:
            nonlocal stage
            stage = parse_stage(line) or stage
            step = parse_step(line)
            if step is not None:
                note = f"{stage}: {step.losses}; {step.seconds_left} s left"
                context.report(step.step, step.steps, unit="steps", note=note)
            elif parse_stage(line):
                context.report(0, None, unit="steps", note=stage)

        return self.train(context.job.params, say=say, check=context.check)
