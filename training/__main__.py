"""Command line of training.

``python -m training run --corpora ../shared/corpora --recipe training/recipes/full.yaml --out runs/full``
"""

from __future__ import annotations

import argparse
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from nlp_service.errors import ConfigurationError, NlpServiceError
from training import evaluate, onward, stages, taxonomies
from training.loop import SHARED_MEMORY
from training.recipe import load_recipe
from training.stages import Run

# glibc hands freed memory back and faults it in again at every step: keeping it is a third faster.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "8589934592", "MALLOC_TRIM_THRESHOLD_": "8589934592"}

STAGES: dict[str, tuple[Callable[[Run], None], ...]] = {
    "prepare": (stages.prepare,),
    "pretrain": (stages.prepare, stages.run_pretraining),
    "train": (stages.prepare, stages.run_training),
    "export": (stages.run_wide, stages.run_export),
    "calibrate": (stages.run_examples, stages.run_calibration, stages.complete),
    "complete": (stages.complete,),
    "run": (
        stages.prepare,
        stages.run_pretraining,
        stages.run_training,
        stages.run_wide,
        stages.run_export,
        stages.run_examples,
        stages.run_calibration,
        stages.complete,
    ),
}

# Stages that several processes run together, and the command of each.
TOGETHER = {stages.run_pretraining: "pretrain", stages.run_training: "train"}


def parser() -> argparse.ArgumentParser:
    """The options; every stage takes the same."""
    top = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    commands = top.add_subparsers(dest="command", required=True)
    for name, functions in STAGES.items():
        command = commands.add_parser(
            name,
            help=" ".join((functions[-1].__doc__ or "").split())
            if name != "run"
            else "Everything, from data to bundle.",
        )
        command.add_argument(
            "--corpora", type=Path, default=Path("../shared/corpora"), help="folder of the public sets"
        )
        command.add_argument("--repository", type=Path, default=Path("corpora"), help="our own corpora folder")
        command.add_argument("--recipe", type=Path, default=Path("training/recipes/full.yaml"))
        command.add_argument("--taxonomy", type=Path, help="label contract; default: the one of --repository")
        command.add_argument(
            "--out", type=Path, required=True, help="results of this run; finished stages are not repeated"
        )
        command.add_argument(
            "--cache", type=Path, default=Path(".cache/training"), help="downloads and the trimmed encoder"
        )
        command.add_argument("--parent", type=Path, metavar="BUNDLE", help="go on from this bundle's model")
        command.add_argument("--allow-missing", action="store_true", help="train on less when sets are missing")
        command.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="KEY=VALUE",
            help="change a value of the recipe, e.g. train.epochs=2",
        )
        command.add_argument("--name", default="feedback-multilingual")
        command.add_argument("--version", default="0.1.0")
        command.add_argument("--threads", type=int, default=0, help="of one process; 0: all cores")
        command.add_argument(
            "--workers", type=int, default=1, help="processes of one thread that train together; for shared cores"
        )
    commands.add_parser("evaluate", help="Every quality figure of a bundle.", add_help=False)
    commands.add_parser("onward", help="Go on from a bundle with new messages.", add_help=False)
    commands.add_parser("taxonomy", help="A taxonomy for somebody else's corpus.", add_help=False)
    return top


def run_with_workers(command_name: str, arguments: Sequence[str], count: int) -> None:
    """Run one stage in ``count`` processes; raises ConfigurationError if one fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    shared |= {"OMP_NUM_THREADS": "1", **KEEP_MEMORY}
    command = [sys.executable, "-m", "training", command_name, *arguments, "--workers", "1"]
    workers = [subprocess.Popen(command, env={**shared, "RANK": str(rank)}) for rank in range(count)]
    while any(worker.poll() is None for worker in workers) and not any(worker.poll() for worker in workers):
        time.sleep(0.5)
    for worker in workers:
        if worker.poll() is None:
            worker.terminate()
        worker.wait()
    for path in SHARED_MEMORY.glob(f"training-{port}-*"):
        path.unlink()
    if any(worker.returncode for worker in workers):
        raise ConfigurationError(f"a training process failed, exit codes {[worker.returncode for worker in workers]}")


def main(arguments: list[str] | None = None) -> int:
    """Run the stages of one command; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["evaluate"]:
        return evaluate.main(given[1:])
    if given[:1] == ["taxonomy"]:
        return taxonomies.main(given[1:])
    if given[:1] == ["onward"]:
        try:
            return onward.main(given[1:])
        except (NlpServiceError, FileNotFoundError) as exc:
            print(f"error: {exc}", file=sys.stderr)
            return 2
    options = parser().parse_args(given)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    if options.threads:
        torch.set_num_threads(options.threads)
    try:
        overrides = dict(item.split("=", 1) for item in options.set)
        run = Run(
            recipe=load_recipe(options.recipe, overrides),
            corpora=options.corpora,
            repository=options.repository,
            taxonomy_path=options.taxonomy or options.repository / "taxonomy.yaml",
            out=options.out,
            cache=options.cache,
            allow_missing=options.allow_missing,
            parent=options.parent,
            name=options.name,
            version=options.version,
        )
        for stage in STAGES[options.command]:
            if stage in TOGETHER and options.workers > 1:
                run_with_workers(TOGETHER[stage], given[1:], options.workers)
            else:
                stage(run)
    except (NlpServiceError, FileNotFoundError) as exc:
        print(f"error: {exc}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
