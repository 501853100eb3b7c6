"""A relabelling job as a process of its own, with lower priority than the answers to customers."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import orjson

from nlp_service.errors import JobError
from nlp_service.ports import JobContext

NICENESS = 10
_CHECK_SECONDS = 0.5


class RelabelProcess:
    """ports.JobHandler for kind ``relabel``: `nlp-service relabel --resume` on the job's folder.

    The process can be ended at any moment; the next attempt goes on where it was.
    """

    def __init__(self, folder: Path, *, environment: Mapping[str, str], command: Sequence[str] | None = None) -> None:
        self._folder = folder  # one sub-folder a job
        self._environment = environment
        self._command = command or (sys.executable, "-m", "nlp_service")

    def __call__(self, context: JobContext) -> Mapping[str, Any]:
        output = output_folder(self._folder, context.job.id)
        if not (output / "manifest.json").exists():
            self._run(context, output)
        manifest = orjson.loads((output / "manifest.json").read_bytes())
        names = sorted(path.relative_to(output).as_posix() for path in output.rglob("[!.]*") if path.is_file())
        return {"rows": manifest["rows"], "conversations": manifest["conversations"], "files": names}

    def _run(self, context: JobContext, output: Path) -> None:
        params = context.job.params
        command = [*self._command, "relabel", *params["inputs"], "--output", str(output), "--resume", "--progress-json"]
        for name, column in params.get("mapping", {}).items():
            command += ["--map", f"{name}={column}"]
        for option in ("format", "encoding", "utc_offset", "customers", "partition_by"):
            if params.get(option):
                command += [f"--{option.replace('_', '-')}", str(params[option])]
        if params.get("store"):
            command.append("--store")
        process = subprocess.Popen(  # noqa: S603  # our own command; values are arguments, no shell
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self._environment},
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        try:
            errors = _collect(process, context)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        if process.returncode:
            raise JobError(errors or f"the relabelling process ended with code {process.returncode}")


def output_folder(folder: Path, job_id: str) -> Path:
    return folder / job_id / "output"


def _collect(process: subprocess.Popen[bytes], context: JobContext) -> str:
    """Follow the progress until the process ends; returns what it said on standard error."""
    assert process.stdout is not None
    assert process.stderr is not None
    said: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
    errors: list[bytes] = []
    readers = [
        threading.Thread(target=_forward, args=(process.stdout, said), daemon=True),
        threading.Thread(target=lambda stream: errors.append(stream.read()), args=(process.stderr,), daemon=True),
    ]
    for reader in readers:
        reader.start()
    while True:
        context.check()
        try:
            line = said.get(timeout=_CHECK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            break
        progress = orjson.loads(line)
        note = f"{progress['labelled']} labelled, {progress['rejected']} rejected"
        context.report(progress["rows"], progress["expected"], note=note)
    process.wait()
    for reader in readers:
        reader.join()
    text = b"".join(errors).decode("utf-8", "replace").strip()
    return text.rpartition("error: ")[2].replace("\n", " ").strip()


def _forward(stream: IO[bytes], said: queue.SimpleQueue[bytes | None]) -> None:
    for line in stream:
        said.put(line)
    said.put(None)
