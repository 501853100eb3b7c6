"""What does relabelling in bulk cost beside the engine alone, in time and memory, and what does a kill cost?

    python -m benchmarks.relabel [--rows 1000000] [--bundle models/…] [--corpora ../shared/corpora] [--peer-rows 1000]

Every contender is a process of its own on the same file; processor seconds are what to compare on a machine that does
other work beside. Rows are real messages with their context; a share of them is repeated word for word as in real
traffic, the others are told apart by an order number. The peers label the first rows of the same file with a
transformers pipeline of the model's shape, as one writes it in a notebook.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sample import machine, write_results
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.corpus import read_records
from nlp_service.contract.inputs import compose

MODELS = Path(__file__).parent.parent / "models"
REPEATED = 0.15  # of the rows
PEERS = ("pandas", "datasets")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=1000)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--alone", choices=("engine", *PEERS), help="run one contender in this process")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    bundle = (given.bundle or read_accepted(MODELS)).resolve()
    if given.alone:
        alone(given.alone, bundle, given.file, given.rows)
        return
    with tempfile.TemporaryDirectory() as name:
        results = measure(Path(name), bundle, given)
    path = write_results("relabel", {"bundle": bundle.name, "machine": machine(), **results})
    print(f"written to {path}")


def measure(folder: Path, bundle: Path, given: argparse.Namespace) -> dict[str, Any]:
    whole, quarter = folder / "whole.jsonl", folder / "quarter.jsonl"
    write_rows(whole, given.rows, given.corpora)
    write_rows(quarter, given.rows // 4, given.corpora)
    figures = {
        "engine alone": run([*program(bundle, whole), "--alone", "engine"], given.rows),
        "relabel": run(relabel(bundle, whole, folder / "whole"), given.rows),
        "relabel, a quarter of the rows": run(relabel(bundle, quarter, folder / "quarter"), given.rows // 4),
        "relabel, killed in the middle and resumed": killed(bundle, whole, folder / "killed", given.rows),
    }
    engine, ours = figures["engine alone"], figures["relabel"]
    resumed = figures["relabel, killed in the middle and resumed"]
    for peer in PEERS:
        command = [*program(bundle, whole), "--alone", peer, "--rows", str(given.peer_rows)]
        figures[f"{peer} with a pipeline"] = run(command, given.peer_rows)
    ratios = {
        "of the engine's rows per processor second": round(ours["per_cpu_second"] / engine["per_cpu_second"], 3),
        "of the engine's rows per second": round(ours["per_second"] / engine["per_second"], 3),
        "processor time with one kill, to without": round(resumed["cpu_seconds"] / ours["cpu_seconds"], 3),
    }
    print(json.dumps(ratios, indent=1))
    return {"rows": given.rows, "figures": figures, "ratios": ratios}


def write_rows(path: Path, rows: int, corpora: Path) -> None:
    source = corpora / "service_messages" / "train.jsonl"
    if not source.is_file():
        sys.exit(f"{source} is not there: this benchmark measures on real messages; give their folder with --corpora")
    records = [(record.text, list(record.context)) for record in read_records(source)]
    chance = random.Random(1)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            text, context = records[chance.randrange(len(records))]
            if chance.random() >= REPEATED:
                text = f"{text} {chance.randrange(10**6)}"
            row = {"id": f"m-{number}", "text": text, "context": context}
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def program(bundle: Path, file: Path) -> list[str]:
    return [sys.executable, "-m", "benchmarks.relabel", "--bundle", str(bundle), "--file", str(file)]


def relabel(bundle: Path, file: Path, output: Path) -> list[str]:
    more = ["--output", str(output), "--model", str(bundle), "--resume", "--progress-json"]
    return [sys.executable, "-m", "nlp_service", "relabel", str(file), *more]


def run(command: list[str], rows: int, *, kill_after: int | None = None) -> dict[str, float]:
    """Run a process to its end, or kill it when it has told of so many rows; returns what it took."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    said = b""
    for said in process.stdout:
        if kill_after is not None and json.loads(said)["rows"] >= kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in {0, -signal.SIGKILL if kill_after else 0}:
        return {"failed": float(process.returncode)}
    own = json.loads(said).get("seconds") if said.startswith(b'{"seconds"') else None
    seconds, cpu = time.perf_counter() - started, usage.ru_utime + usage.ru_stime
    if own is not None:  # what the work itself took, without loading
        seconds, cpu = own, json.loads(said)["cpu_seconds"]
    figures = {
        "seconds": round(seconds, 2),
        "cpu_seconds": round(cpu, 2),
        "per_second": round(rows / seconds, 1),
        "per_cpu_second": round(rows / cpu, 1),
        "peak_mb": round(usage.ru_maxrss / 1024),
    }
    print(command[-3:], figures, flush=True)
    return figures


def killed(bundle: Path, file: Path, output: Path, rows: int) -> dict[str, float]:
    first = run(relabel(bundle, file, output), rows, kill_after=rows // 2)
    second = run(relabel(bundle, file, output), rows)
    shutil.rmtree(output)
    both = {name: round(first[name] + second[name], 2) for name in ("seconds", "cpu_seconds")}
    return {**both, "peak_mb": max(first["peak_mb"], second["peak_mb"])}


def alone(name: str, bundle: Path, file: Path, rows: int) -> None:
    """Run one contender in this process; prints the seconds of the work without loading."""
    work = {"engine": engine_work, "pandas": pandas_work, "datasets": datasets_work}[name](bundle, file, rows)
    next(work)  # loads and warms up
    started, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    next(work, None)
    now = resource.getrusage(resource.RUSAGE_SELF)
    cpu = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    print(json.dumps({"seconds": time.perf_counter() - started, "cpu_seconds": cpu}))


def engine_work(bundle: Path, file: Path, rows: int) -> Iterator[None]:
    """The engine's own batch rate: text in memory, nothing written."""
    model = OnnxModel.load(bundle, sessions=len(os.sched_getaffinity(0)))
    model.warm_up()
    segments = [compose(row["text"], row["context"]) for row in read(file, rows)]
    yield
    for _ in model.score_all(segments):
        pass


def pandas_work(bundle: Path, file: Path, rows: int) -> Iterator[None]:
    import pandas as pd

    label = a_pipeline(bundle)
    frame = pd.DataFrame(read(file, rows))
    yield
    frame["labels"] = frame["text"].apply(label)


def datasets_work(bundle: Path, file: Path, rows: int) -> Iterator[None]:
    import datasets

    label = a_pipeline(bundle)
    table = datasets.Dataset.from_list(read(file, rows))
    yield
    table.map(lambda batch: {"labels": label(batch["text"], batch_size=32)}, batched=True, batch_size=256)


def a_pipeline(bundle: Path) -> Any:
    from transformers import pipeline

    from benchmarks.peers import transformers_model

    network, tokenizer = transformers_model(bundle)
    made = pipeline("text-classification", model=network, tokenizer=tokenizer, truncation=True)
    made("预热")
    return made


def read(file: Path, rows: int) -> list[dict[str, Any]]:
    with file.open(encoding="utf-8") as stream:
        return [json.loads(line) for line, _ in zip(stream, range(rows), strict=False)]


if __name__ == "__main__":
    main()
