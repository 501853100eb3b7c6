"""What does relabelling in bulk cost beside the engine alone, in time and memory, and what does a kill cost?

    python -m benchmarks.relabel [--rows 1000000] [--bundle models/…] [--corpora ../shared/corpora] [--peer-rows 1000]
                                 [--only "engine alone,relabel"]

Every contender is a process of its own on the same file; processor seconds are what to compare on a machine that does
other work beside. Rows are real messages with their context; a share of them is repeated word for word as in real
traffic, the others are told apart by an order number. The peers label the first rows of the same file with a
transformers pipeline of the model's shape, as one writes it in a notebook. Ray's processor seconds cannot be counted
(its processes are nobody's children): compare its rows a second with those of `relabel`, on an idle machine.

Each figure is written when it is there; a run that was stopped goes on with --only and what is missing. Peak memory is
of all processes of a contender together, their shared pages counted once.
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
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.sample import RESULTS, machine, write_results
from nlp_service.adapters.onnx import OnnxModel
from nlp_service.contract.bundle import read_accepted
from nlp_service.contract.corpus import read_records
from nlp_service.contract.inputs import compose

MODELS = Path(__file__).parent.parent / "models"
REPEATED = 0.15  # of the rows
ENGINE, RELABEL, RAY = "engine alone", "relabel", "relabel on Ray, two workers"
QUARTER, KILLED = "relabel, a quarter of the rows", "relabel, killed in the middle and resumed"
PEERS = ("pandas with a pipeline", "datasets with a pipeline")
CONTENDERS = (ENGINE, RELABEL, QUARTER, KILLED, RAY, *PEERS)
_SAMPLED_SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--peer-rows", type=int, default=1000)
    parser.add_argument("--bundle", type=Path, default=None)
    parser.add_argument("--corpora", type=Path, default=Path("../shared/corpora"))
    parser.add_argument("--only", default="", help="contenders, by comma; the others keep the figures they have")
    parser.add_argument("--alone", choices=("engine", "pandas", "datasets"), help="run one contender in this process")
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    bundle = (given.bundle or read_accepted(MODELS)).resolve()
    if given.alone:
        alone(given.alone, bundle, given.file, given.rows)
        return
    chosen = [name.strip() for name in given.only.split(",") if name.strip()]
    if unknown := [name for name in chosen if name not in CONTENDERS]:
        sys.exit(f"{', '.join(unknown)} is no contender: use {', '.join(CONTENDERS)}")
    results = kept(bundle.name, given.rows) if chosen else new(bundle.name, given.rows)
    with tempfile.TemporaryDirectory(prefix="relabel-") as name:
        course = Course(Path(name), bundle, given)
        for contender in chosen or CONTENDERS:
            results["figures"][contender] = {**course.run(contender), "load_before": round(os.getloadavg()[0], 1)}
            results["ratios"] = ratios(results["figures"])
            write_results("relabel", results)
    print(json.dumps(results["ratios"], indent=1))


def new(bundle: str, rows: int) -> dict[str, Any]:
    return {"bundle": bundle, "machine": machine(), "rows": rows, "figures": {}, "ratios": {}}


def kept(bundle: str, rows: int) -> dict[str, Any]:
    """Return the results so far where they are of the same bundle and number of rows."""
    path = RESULTS / "relabel.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return found if (found.get("bundle"), found.get("rows")) == (bundle, rows) else new(bundle, rows)


@dataclass
class Course:
    """The files that contenders run on, made when they are first needed."""

    folder: Path
    bundle: Path
    given: argparse.Namespace

    def run(self, contender: str) -> dict[str, float]:
        rows: int = self.given.rows
        output = self.folder / "output"
        shutil.rmtree(output, ignore_errors=True)
        if contender == QUARTER:
            return run(relabel(self.bundle, self.file(rows // 4), output), rows // 4)
        file = self.file(rows)
        if contender == KILLED:
            return killed(self.bundle, file, output, rows)
        if contender in {RELABEL, RAY}:
            more = ["--engine", "ray", "--ray-workers", "2"] if contender == RAY else []
            figures = run([*relabel(self.bundle, file, output), *more], rows)
            if contender == RAY:  # the driver's alone
                figures = {name: value for name, value in figures.items() if "cpu" not in name}
            return figures
        alone, count = (contender.split(maxsplit=1)[0], rows if contender == ENGINE else self.given.peer_rows)
        return run([*program(self.bundle, file), "--alone", alone, "--rows", str(count)], count)

    def file(self, rows: int) -> Path:
        path = self.folder / f"{rows}.jsonl"
        if not path.exists():
            write_rows(path, rows, self.given.corpora)
        return path


def ratios(figures: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return what the targets are about, as far as it is measured."""
    wanted = {
        "of the engine's rows per processor second": (RELABEL, ENGINE, "per_cpu_second"),
        "of the engine's rows per second": (RELABEL, ENGINE, "per_second"),
        "seconds with one kill, to without": (KILLED, RELABEL, "seconds"),
        "processor time with one kill, to without": (KILLED, RELABEL, "cpu_seconds"),
        "Ray's rows per second, to local": (RAY, RELABEL, "per_second"),
        "peak memory, to a quarter of the rows": (RELABEL, QUARTER, "peak_mb"),
        **{f"rows per second, to {peer}": (RELABEL, peer, "per_second") for peer in PEERS},
    }
    found = {}
    for name, (one, other, of) in wanted.items():
        if of in figures.get(one, {}) and of in figures.get(other, {}):
            found[name] = round(figures[one][of] / figures[other][of], 3)
    return found


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
    memory = PeakMemory(process.pid)
    said = b""
    for said in process.stdout:
        if kill_after is not None and json.loads(said)["rows"] >= kill_after:
            process.send_signal(signal.SIGKILL)
            break
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    peak = memory.stop()
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
        "peak_mb": max(peak, round(usage.ru_maxrss / 1024) if not peak else 0),
    }
    print(command[-3:], figures, flush=True)
    return figures


def killed(bundle: Path, file: Path, output: Path, rows: int) -> dict[str, float]:
    first = run(relabel(bundle, file, output), rows, kill_after=rows // 2)
    second = run(relabel(bundle, file, output), rows)
    shutil.rmtree(output)
    both = {name: round(first[name] + second[name], 2) for name in ("seconds", "cpu_seconds")}
    return {
        **both,
        "per_second": round(rows / both["seconds"], 1),
        "peak_mb": max(first["peak_mb"], second["peak_mb"]),
        "seconds_of_the_resumed_run": second["seconds"],
    }


class PeakMemory:
    """The most memory that a process and its descendants held together, looked at once a second."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._most = 0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        """Return MB; 0 where the process ended before the first look."""
        self._ended.set()
        self._thread.join()
        return round(self._most / 1024)

    def _watch(self) -> None:
        while True:
            self._most = max(self._most, sum(proportional_kb(pid) for pid in family(self._pid)))
            if self._ended.wait(_SAMPLED_SECONDS):
                return


def family(pid: int) -> set[int]:
    """Return a process and those that it and its children started."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it ended meanwhile
            continue
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def proportional_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


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
