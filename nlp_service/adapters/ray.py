"""Bulk labelling on Ray: actors hold a model each, on this machine or a cluster; a killed worker loses nothing.

Chunks go out and come back in order and are written by the driver, so that ledger, parts and resuming are the same as
without Ray. Ray Data is not used: its blocks come back in no fixed order, and its own checkpoints would be a second
truth beside the ledger.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from nlp_service.core.relabelling import Chunk, LabelledChunk
from nlp_service.errors import ConfigurationError, JobError

AHEAD = 2  # chunks waiting for each worker


class OneChunk(Protocol):
    def label_one(self, chunk: Chunk) -> LabelledChunk: ...


class RayLabeller:
    """ports.ChunkLabeller on Ray."""

    def __init__(self, build: Callable[[], OneChunk], *, workers: int, address: str | None = None) -> None:
        self._build = build  # called in each worker: loads the model there
        self._workers = workers
        self._address = address  # of a cluster; None: started on this machine for the job

    def label(self, chunks: Iterator[Chunk]) -> Iterator[LabelledChunk]:
        """Yield the chunks labelled, in order.

        Raises:
            ConfigurationError: Ray is not installed, or the cluster cannot be reached.
            JobError: a worker failed for good; what was finished is kept.
        """
        ray = _import()
        self._connect(ray)
        try:
            yield from self._label(ray, chunks)
        finally:
            ray.shutdown()

    def _label(self, ray: Any, chunks: Iterator[Chunk]) -> Iterator[LabelledChunk]:
        build = self._build
        remote = ray.remote(num_cpus=1, max_restarts=-1, max_task_retries=-1)(_Worker)
        workers = [remote.remote(build) for _ in range(self._workers)]
        waiting: deque[Any] = deque()
        for sent, chunk in enumerate(chunks):
            waiting.append(workers[sent % len(workers)].label.remote(chunk))
            if len(waiting) >= AHEAD * len(workers):
                yield _result(ray, waiting.popleft())
        while waiting:
            yield _result(ray, waiting.popleft())

    def _connect(self, ray: Any) -> None:
        try:
            if self._address is None:
                # "local" starts a cluster of its own: one left over by a killed job is not joined by mistake.
                ray.init("local", num_cpus=self._workers, include_dashboard=False, log_to_driver=False)
            else:
                ray.init(self._address, log_to_driver=False)
        except (ConnectionError, ValueError, RuntimeError) as exc:
            where = self._address or "on this machine"
            raise ConfigurationError(f"Ray {where} cannot be reached: {exc}") from exc


class _Worker:
    """Lives in a Ray worker process; made anew with its model when that process dies."""

    def __init__(self, build: Callable[[], OneChunk]) -> None:
        self._labeller = build()

    def label(self, chunk: Chunk) -> LabelledChunk:
        return self._labeller.label_one(chunk)


def _result(ray: Any, reference: Any) -> LabelledChunk:
    try:
        labelled: LabelledChunk = ray.get(reference)
    except ray.exceptions.RayError as exc:
        raise JobError(f"a Ray worker failed: {exc}; what is finished is kept, go on with --resume") from exc
    return labelled


def _import() -> Any:
    try:
        import ray
    except ImportError as exc:
        raise ConfigurationError("Ray is not installed: pip install 'nlp-service[ray]', or leave --engine out") from exc
    return ray
