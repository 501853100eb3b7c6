"""How far training is, read off the lines of its log."""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = re.compile(r"step (\d+)/(\d+), (\d+) s left: (.*)")
_STAGE = re.compile(r"stage (\w+)$")


@dataclass(frozen=True, kw_only=True)
class TrainStep:
    step: int
    steps: int
    seconds_left: int
    losses: str  # name=value, by spaces


def parse_step(line: str) -> TrainStep | None:
    """Return what a line says of a step, None where it speaks of something else."""
    found = _STEP.search(line)
    if found is None:
        return None
    step, steps, left = (int(found[place]) for place in (1, 2, 3))
    return TrainStep(step=step, steps=steps, seconds_left=left, losses=found[4])


def parse_stage(line: str) -> str | None:
    """Return the stage that a line says has begun."""
    found = _STAGE.search(line)
    return None if found is None else found[1]
