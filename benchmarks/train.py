"""How long does it take to learn from 5,000 new messages, and what does it gain and cost?

python -m benchmarks.train [--corpus FILE] [--messages 5000]

Trains a candidate with `nlp-service train` from the accepted model, on as many cores as the process may use, in a
models folder of its own, and judges it with `nlp-service models gate` on the hold-out. Without --corpus the new
messages are the training file of the service messages of --corpora.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.sample import machine, write_results
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.corpus import read_records, write_records

ROOT = Path(__file__).parent.parent
LIMIT_MINUTES = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    parser.add_argument("--corpus", type=Path, default=None, help="labelled messages in the corpus format")
    parser.add_argument("--eval", type=Path, action="append", default=[], help="frozen sets beside the hold-out")
    parser.add_argument("--messages", type=int, default=5000)
    arguments = parser.parse_args()
    source = arguments.corpus or arguments.corpora / "service_messages" / "train.jsonl"
    if not source.is_file():
        raise SystemExit(f"{source} does not exist: give labelled messages with --corpus")
    with tempfile.TemporaryDirectory() as folder:
        results = measure(Path(folder), source, arguments.messages, arguments.eval)
    print(f"{results['minutes']} minutes, {results['verdict']}; written to {write_results('train', results)}")


def measure(folder: Path, source: Path, messages: int, frozen: list[Path]) -> dict[str, Any]:
    accepted = read_accepted(ROOT / "models")
    (folder / "models").mkdir()
    shutil.copytree(accepted, folder / "models" / accepted.name)
    shutil.copy(ROOT / "models" / "accepted.json", folder / "models")
    count = write_records(islice(read_records(source), messages), folder / "new.jsonl")
    before = machine()
    started = time.monotonic()
    trained = run(folder, "train", "--corpus", str(folder / "new.jsonl"), "--out", str(folder / "run"))
    minutes = (time.monotonic() - started) / 60
    version = trained.splitlines()[0].split()[1].rpartition("-")[2]
    sets = [argument for path in (folder / "run" / "holdout.jsonl", *frozen) for argument in ("--eval", str(path))]
    run(folder, "models", "gate", version, *sets, "--report", str(folder / "report"), ends=(0, 10, 11))
    trial = json.loads((folder / "report" / "trial.json").read_text(encoding="utf-8"))
    heads = {
        f"{check['name']} on {check['set']}": {key: round(check[key], 4) for key in ("before", "after", "low", "high")}
        for check in trial["checks"]
        if check["kind"] == "head"
    }
    return {
        "parent": accepted.name,
        "machine": before,
        "cores": len(os.sched_getaffinity(0)),
        "new_messages": count,
        "source": source.parent.name,
        "minutes": round(minutes, 1),
        "limit_minutes": LIMIT_MINUTES,
        "verdict": trial["decision"],
        "reasons": trial["reasons"],
        "heads": heads,
    }


def run(folder: Path, *arguments: str, ends: tuple[int, ...] = (0,)) -> str:
    """Run our own command in the repository with a models folder of its own; returns what it printed."""
    settings = {"NLP_SERVICE_MODELS": str(folder / "models"), "NLP_SERVICE_DATABASE": f"sqlite:///{folder}/train.db"}
    done = subprocess.run(
        [sys.executable, "-m", "nlp_service", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", **settings},
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode not in ends:
        raise SystemExit(f"nlp-service {arguments[0]} ended with {done.returncode}")
    return done.stdout


if __name__ == "__main__":
    main()
