"""How does the cost of a message grow with its length and with the batch it shares? Numbers and plots.

python -m benchmarks.curves [--bundle models/…]
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from benchmarks.sample import RESULTS, machine, write_results
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.encode import SegmentTokenizer, Window

MODELS = Path(__file__).parent.parent / "models"
LENGTHS = (16, 32, 64, 128, 256, 512, 1024, 2048)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128)
WIDTHS = (10, 30, 80)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    bundle = arguments.bundle or read_accepted(MODELS)
    model = OnnxModel.load(bundle, sessions=1)
    tokenizer = SegmentTokenizer.load(bundle / "tokenizer.json")
    model.warm_up()
    before = machine()
    lengths = {length: by_length(model, tokenizer, length, arguments.rounds) for length in LENGTHS}
    batches = {
        width: {batch: by_batch(model, tokenizer, width, batch, arguments.rounds) for batch in BATCHES}
        for width in WIDTHS
    }
    results = {
        "bundle": bundle.name,
        "machine": before,
        "cpu_ms_per_message_by_tokens": lengths,
        "messages_per_cpu_second_by_tokens_and_batch": batches,
    }
    plot(lengths, batches, RESULTS / "curves.png")
    print(f"written to {write_results('curves', results)} and curves.png")


def by_length(model: OnnxModel, tokenizer: SegmentTokenizer, tokens: int, rounds: int) -> float:
    """CPU milliseconds of one message of this many tokens, in windows where it is long."""
    own = list(np.random.default_rng(tokens).integers(100, 20_000, tokens - 2))
    windows = tokenizer.windows([int(number) for number in own], []).windows
    return round(1000 * _cpu(lambda: [model.infer([window]) for window in windows], rounds), 3)


def by_batch(model: OnnxModel, tokenizer: SegmentTokenizer, width: int, batch: int, rounds: int) -> float:
    """Messages a CPU second of this many tokens in one pass."""
    ids = np.random.default_rng(width).integers(100, 20_000, (batch, width - 2)).tolist()
    windows: list[Window] = [tokenizer.join(row, []) for row in ids]
    return round(batch / _cpu(lambda: model.infer(windows), rounds), 1)


def _cpu(call: Any, rounds: int) -> float:
    call()
    seconds = []
    for _ in range(rounds):
        start = time.thread_time()
        call()
        seconds.append(time.thread_time() - start)
    return statistics.median(seconds)


def plot(lengths: dict[int, float], batches: dict[int, dict[int, float]], path: Path) -> None:
    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    left.plot(list(lengths), list(lengths.values()), marker="o")
    left.set(xscale="log", yscale="log", xlabel="tokens of the message", ylabel="CPU ms", title="Length")
    for width, row in batches.items():
        right.plot(list(row), list(row.values()), marker="o", label=f"{width} tokens")
    right.set(xscale="log", yscale="log", xlabel="messages in a pass", ylabel="messages per CPU second", title="Batch")
    right.legend()
    figure.tight_layout()
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
