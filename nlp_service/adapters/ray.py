"""Bulk labelling on Ray Data: a pool of actors holds a model each, on this machine or a cluster.

One task reads the files, as a stream of blocks of one chunk each; the actors label them; the driver gets them in order
and writes. So ledger, parts and resuming are the same as without Ray, and the ledger stays the only truth about what is
finished. A worker that is killed is made anew with its model, and its chunks are labelled again; a reader that is
killed reads again.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol

from nlp_service.core.relabelling import Chunk, LabelledChunk
from nlp_service.errors import ConfigurationError, JobError

AHEAD = 2  # chunks waiting at each worker
_SPARE = 2  # logical cores beside the workers' own: the reader's, and one that Ray Data plans with


class OneChunk(Protocol):
    def label_one(self, chunk: Chunk) -> LabelledChunk: ...


class RayLabeller:
    """ports.ChunkLabeller on Ray Data."""

    def __init__(self, build: Callable[[], OneChunk], *, workers: int, address: str | None = None) -> None:
        self._build = build  # called in each worker: loads the model there
        self._workers = workers
        self._address = address  # of a cluster; None: started on this machine for the job

    def label(self, chunks: Iterable[Chunk]) -> Iterator[LabelledChunk]:
        """Yield the chunks labelled, in order; ``chunks`` is iterated over in another process and must be picklable.

        Raises:
            ConfigurationError: Ray is not installed, or the cluster cannot be reached.
            JobError: a worker failed for good; what was finished is kept.
        """
        ray = _import()
        self._connect(ray)
        try:
            for batch in self._dataset(ray, chunks).iter_batches(batch_size=None, batch_format="pyarrow"):
                for content in batch["labelled"]:
                    yield pickle.loads(content.as_py())  # noqa: S301  # written by our own worker a moment ago
        except ray.exceptions.RayError as exc:
            raise JobError(f"a Ray worker failed: {exc}; what is finished is kept, go on with --resume") from exc
        finally:
            ray.shutdown()

    def _dataset(self, ray: Any, chunks: Iterable[Chunk]) -> Any:
        context = ray.data.DataContext.get_current()
        context.execution_options.preserve_order = True
        context.use_datasource_v2 = False  # the newer reader gathers blocks; a chunk shall be labelled when it is read
        context.enable_progress_bars = False
        # Files lie where this process runs, which need not be every node.
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=False
        )
        read = ray.data.read_datasource(
            _chunk_source(chunks),
            override_num_blocks=1,
            ray_remote_args={"scheduling_strategy": here, "num_cpus": 0.5},  # other terms than the actors': not fused
        )
        pool = ray.data.ActorPoolStrategy(size=self._workers, max_tasks_in_flight_per_actor=AHEAD)
        return read.map(_Worker, compute=pool, fn_constructor_args=(self._build,), num_cpus=1)

    def _connect(self, ray: Any) -> None:
        quiet = {"log_to_driver": False, "logging_level": logging.WARNING}
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        try:
            if self._address is None:
                # "local" starts a cluster of its own: one left over by a killed job is not joined by mistake.
                cores = self._workers + _SPARE
                ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)
            else:
                ray.init(self._address, **quiet)
        except (ConnectionError, ValueError, RuntimeError) as exc:
            where = self._address or "on this machine"
            raise ConfigurationError(f"Ray {where} cannot be reached: {exc}") from exc


class _Worker:
    """Lives in a Ray worker process; made anew with its model when that process dies."""

    def __init__(self, build: Callable[[], OneChunk]) -> None:
        self._labeller = build()

    def __call__(self, row: dict[str, Any]) -> dict[str, bytes]:
        chunk: Chunk = pickle.loads(row["chunk"])  # noqa: S301  # written by our own reader a moment ago
        return {"labelled": pickle.dumps(self._labeller.label_one(chunk), pickle.HIGHEST_PROTOCOL)}


def _chunk_source(chunks: Iterable[Chunk]) -> Any:
    """Return a Ray Data source whose only task streams a block for each chunk."""
    import pyarrow as pa
    from ray.data import Datasource, ReadTask
    from ray.data.block import BlockMetadata

    def read() -> Iterator[Any]:
        for chunk in chunks:
            yield pa.table({"chunk": pa.array([pickle.dumps(chunk, pickle.HIGHEST_PROTOCOL)], pa.large_binary())})

    class Source(Datasource):  # type: ignore[misc]  # of an unknown class: ray is optional
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, *_args: Any, **_options: Any) -> list[Any]:
            unknown = BlockMetadata(num_rows=None, size_bytes=None, exec_stats=None, input_files=None)
            return [ReadTask(read, unknown)]

    return Source()


def _import() -> Any:
    try:
        import ray
        import ray.data
        import ray.util.scheduling_strategies
    except ImportError as exc:
        raise ConfigurationError("Ray is not installed: pip install 'nlp-service[ray]', or leave --engine out") from exc
    return ray
