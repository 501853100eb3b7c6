"""Micro-batching: callers wait on futures, one thread tokenises, one thread per session computes."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nlp_service.adapters.batching.engine import Engine
from nlp_service.adapters.batching.queue import LengthQueue
from nlp_service.adapters.batching.request import Generation, Request, Unit
from nlp_service.adapters.cache import DuplicateCache
from nlp_service.contract.encode import MAX_WINDOWS
from nlp_service.contract.inputs import MAX_TOKENS
from nlp_service.core.labelling import FloatArray, Scores
from nlp_service.errors import Overloaded, Unavailable
from nlp_service.ports import Model, Segments

PASS_TOKENS = 512  # padded tokens of one pass: throughput is within a tenth of its best, and nobody waits long
FIRST_RATE = 5_000.0  # tokens a second assumed until some were measured
SPECIAL_TOKENS = 3


class Observer(Protocol):
    """Hears what the batcher does; called from its threads."""

    def batch_scored(self, messages: int) -> None: ...
    def queue_depth(self, tokens: int) -> None: ...
    def cache_looked_up(self, *, hits: int, misses: int) -> None: ...


class Silent:
    """An observer that does nothing."""

    def batch_scored(self, messages: int) -> None: ...
    def queue_depth(self, tokens: int) -> None: ...
    def cache_looked_up(self, *, hits: int, misses: int) -> None: ...


@dataclass(frozen=True, kw_only=True)
class ScoredBatch:
    """Scores of one call, all by one model."""

    scores: Scores
    model: Model
    stages: Mapping[str, float]  # seconds: queue, tokenise, infer


class Batcher:
    """Scores messages of many callers together, fairly among them and grouped by length.

    What waits is bounded in tokens; beyond it callers are refused at once. A caller that is cancelled is dropped
    before compute. Use within one running event loop; ``swap`` may be called from any thread.
    """

    def __init__(
        self,
        model: Engine,
        *,
        queue_tokens: int,
        cache_entries: int,
        observer: Observer | None = None,
        pass_tokens: int = PASS_TOKENS,
    ) -> None:
        self._queue_tokens = queue_tokens
        self._cache_entries = cache_entries
        self._observer: Observer = observer or Silent()
        self._pass_tokens = pass_tokens
        self._generation = Generation(model, DuplicateCache(cache_entries))
        self._lock = threading.Lock()
        self._arrived = threading.Condition(self._lock)
        self._ready = threading.Condition(self._lock)
        self._arrivals: deque[Request] = deque()
        self._windows = LengthQueue()
        self._waiting_tokens = 0
        self._open = 0  # requests without an answer
        self._rate = FIRST_RATE
        self._closing = False
        self._threads: list[threading.Thread] = []

    @property
    def model(self) -> Engine:
        """The model that new requests go to."""
        return self._generation.model

    def swap(self, model: Engine) -> None:
        """Send new requests to another model; what waits is still answered by the old one."""
        self._generation = Generation(model, DuplicateCache(self._cache_entries))

    async def score(self, segments: Sequence[Segments]) -> ScoredBatch:
        """Score n messages in order, all by the model in place when called.

        Raises:
            Overloaded: too many tokens wait already; ``retry_after`` says when they will be done.
            Unavailable: the batcher is closed.
        """
        generation = self._generation
        known = generation.cache.find(segments)
        missing = list(dict.fromkeys(key for key, row in zip(segments, known, strict=True) if row is None))
        hits = sum(row is not None for row in known)
        self._observer.cache_looked_up(hits=hits, misses=len(segments) - hits)
        if not segments:
            return ScoredBatch(scores=generation.model.score([]), model=generation.model, stages=_NO_TIME)
        if not missing:
            rows = [row for row in known if row is not None]
            return _scored(generation, rows, _NO_TIME)
        request = self._admit(generation, missing)
        try:
            await request.done
        except asyncio.CancelledError:
            self._abandon(request)
            raise
        fresh = {}
        for key, reading, windows in zip(missing, request.readings, request.rows, strict=True):
            row = windows[0] if len(windows) == 1 else generation.model.combine(reading, np.stack(windows))
            fresh[key] = (row, reading.truncated)
            generation.cache.remember(key, row, truncated=reading.truncated)
        rows = [fresh[key] if row is None else row for key, row in zip(segments, known, strict=True)]
        return _scored(generation, rows, _stages(request))

    async def close(self) -> None:
        """Refuse new requests, answer what waits, and stop the threads."""
        with self._lock:
            self._closing = True
            self._wake_all()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)
        self._threads.clear()

    def _admit(self, generation: Generation, segments: list[Segments]) -> Request:
        loop = asyncio.get_running_loop()
        cost = sum(_estimate(message, context) for message, context in segments)
        request = Request(generation, segments, loop, loop.create_future(), cost)
        with self._lock:
            if self._closing:
                raise Unavailable("the service is shutting down; send again", retry_after=5.0)
            if self._waiting_tokens and self._waiting_tokens + cost > self._queue_tokens:
                raise Overloaded(
                    f"{self._waiting_tokens} tokens wait and {cost} more exceed {self._queue_tokens}; send again later",
                    retry_after=max(1.0, self._waiting_tokens / self._rate),
                )
            self._start()
            self._account(cost)
            self._open += 1
            self._arrivals.append(request)
            self._arrived.notify()
        return request

    def _abandon(self, request: Request) -> None:
        with self._lock:
            if not request.gone:
                request.gone = True
                self._open -= 1
                self._account(-request.cost)
                if self._closing:
                    self._wake_all()

    def _wake_all(self) -> None:
        self._arrived.notify_all()
        self._ready.notify_all()

    def _account(self, tokens: int) -> None:
        self._waiting_tokens += tokens
        self._observer.queue_depth(self._waiting_tokens)

    def _start(self) -> None:
        if self._threads:
            return
        workers = self._generation.model.concurrency
        self._threads = [threading.Thread(target=self._tokenise_arrivals, name="tokenise", daemon=True)]
        self._threads += [
            threading.Thread(target=self._infer_windows, name=f"infer-{number}", daemon=True)
            for number in range(workers)
        ]
        for thread in self._threads:
            thread.start()

    def _tokenise_arrivals(self) -> None:
        """Turn requests into windows, all that arrived meanwhile in one call."""
        while True:
            with self._lock:
                while not self._arrivals:
                    if self._closing:
                        return
                    self._arrived.wait()
                generation = self._arrivals[0].generation
                requests = []
                while self._arrivals and self._arrivals[0].generation is generation:
                    request = self._arrivals.popleft()
                    if not request.gone:
                        requests.append(request)
            try:
                self._tokenise(generation, requests)
            except Exception as exc:  # whatever it is, the callers must hear of it
                self._fail(requests, exc)

    def _tokenise(self, generation: Generation, requests: list[Request]) -> None:
        began = time.perf_counter()
        readings = iter(generation.model.tokenise([key for request in requests for key in request.segments]))
        for request in requests:
            request.readings = [next(readings) for _ in request.segments]
            request.rows = [[_EMPTY] * len(reading.windows) for reading in request.readings]
        took = time.perf_counter() - began
        with self._lock:
            for request in requests:
                request.tokenise_seconds = took
                if not request.gone:
                    self._enqueue(request)
            self._ready.notify_all()

    def _enqueue(self, request: Request) -> None:
        actual = sum(reading.tokens for reading in request.readings)
        self._account(actual - request.cost)
        request.cost = actual
        units = [
            Unit(request, window, message, position)
            for message, reading in enumerate(request.readings)
            for position, window in enumerate(reading.windows)
        ]
        request.waiting = len(units)
        self._windows.push(units)

    def _infer_windows(self) -> None:
        """Compute passes until closed and nothing is open any more."""
        while True:
            with self._lock:
                units = self._windows.take(token_budget=self._pass_tokens)
                while not units:
                    if self._closing and self._open == 0:
                        return
                    self._ready.wait()
                    units = self._windows.take(token_budget=self._pass_tokens)
                began = time.perf_counter()
                for unit in units:
                    if unit.request.started is None:
                        unit.request.started = began
            try:
                rows = units[0].request.generation.model.infer([unit.window for unit in units])
            except Exception as exc:  # whatever it is, the callers must hear of it
                self._fail({id(unit.request): unit.request for unit in units}.values(), exc)
            else:
                self._deliver(units, rows, time.perf_counter() - began)

    def _deliver(self, units: list[Unit], rows: FloatArray, seconds: float) -> None:
        self._observer.batch_scored(len(units))
        finished = []
        with self._lock:
            tokens = sum(len(unit.window) for unit in units)
            self._rate += 0.1 * (tokens * len(self._threads[1:]) / max(seconds, 1e-6) - self._rate)
            for unit, row in zip(units, rows, strict=True):
                request = unit.request
                request.rows[unit.message][unit.position] = row
                request.waiting -= 1
                if request.waiting == 0 and not request.gone:
                    request.gone = True
                    request.finished = time.perf_counter()
                    self._open -= 1
                    self._account(-request.cost)
                    finished.append(request)
            if self._closing:
                self._wake_all()
        _answer(finished, None)

    def _fail(self, requests: Iterable[Request], error: Exception) -> None:
        with self._lock:
            failed = [request for request in requests if not request.gone]
            for request in failed:
                request.gone = True
                self._open -= 1
                self._account(-request.cost)
            if self._closing:
                self._wake_all()
        _answer(failed, error)


_EMPTY = np.zeros(0, dtype=np.float32)
_NO_TIME = {"queue": 0.0, "tokenise": 0.0, "infer": 0.0}


def _estimate(message: str, context: str) -> int:
    """Tokens that a message may need: a piece is at least one character, and windows are bounded."""
    return min(len(message) + len(context) + SPECIAL_TOKENS, MAX_TOKENS * MAX_WINDOWS)


def _answer(requests: Sequence[Request], error: Exception | None) -> None:
    """Wake callers on their own loops, one call a loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for request in requests:
        by_loop.setdefault(request.loop, []).append(request.done)
    for loop, futures in by_loop.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, futures, error)


def _resolve(futures: list[asyncio.Future[None]], error: Exception | None) -> None:
    for future in futures:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _stages(request: Request) -> dict[str, float]:
    infer = request.finished - (request.started or request.finished)
    queued = request.finished - request.arrived - request.tokenise_seconds - infer
    return {"queue": max(0.0, queued), "tokenise": request.tokenise_seconds, "infer": infer}


def _scored(
    generation: Generation, rows: Sequence[tuple[FloatArray, bool]], stages: Mapping[str, float]
) -> ScoredBatch:
    packed = np.stack([row for row, _ in rows])
    scores = generation.model.unpack(packed, [truncated for _, truncated in rows])
    return ScoredBatch(scores=scores, model=generation.model, stages=stages)
