"""One caller's request on its way through the queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from nlp_service.adapters.batching.engine import Engine
from nlp_service.adapters.cache import DuplicateCache
from nlp_service.contract.encode import Reading, Window
from nlp_service.core.labelling import FloatArray
from nlp_service.ports import Segments


@dataclass(frozen=True, eq=False)
class Generation:
    """A model with what is remembered of it: a swap starts a new one, so that no answer mixes two models."""

    model: Engine
    cache: DuplicateCache


@dataclass(eq=False, slots=True)
class Request:
    """The distinct messages of one call that were not remembered.

    Fields after ``cost`` change under the batcher's lock.
    """

    generation: Generation
    segments: Sequence[Segments]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[None]
    cost: int  # tokens accounted for in the queue: an estimate until tokenised
    readings: list[Reading] = field(default_factory=list)
    rows: list[list[FloatArray]] = field(default_factory=list)  # per message, per window
    waiting: int = 0  # windows without a row
    gone: bool = False  # the caller does not wait any more
    arrived: float = field(default_factory=time.perf_counter)
    tokenise_seconds: float = 0.0
    started: float | None = None  # first pass with one of its windows
    finished: float = 0.0


@dataclass(eq=False, slots=True)
class Unit:
    """One window of a request."""

    request: Request
    window: Window
    message: int
    position: int
