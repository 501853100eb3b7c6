"""Label with a bundle through `nlp-service classify` in a process of its own: the path that serves, and its cost."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from nlp_service.contract.corpus import Record
from nlp_service.core.trial.values import Cost
from nlp_service.errors import JobError

_LAST = 600  # characters of standard error that an error repeats


class BundleProcess:
    """ports.BundleLabeller for one bundle folder."""

    def __init__(self, bundle: Path, *, environment: Mapping[str, str]) -> None:
        self._bundle = bundle
        self._environment = environment  # settings on top of this process's own

    def label(self, records: Sequence[Record]) -> tuple[Sequence[Mapping[str, Any]], Cost]:
        """Return one answer per record, in order, and the cost of the command; raises JobError."""
        with tempfile.TemporaryDirectory() as folder:
            source, target = Path(folder) / "in.jsonl", Path(folder) / "out.jsonl"
            rows = [orjson.dumps({"text": record.text, "context": list(record.context)}) for record in records]
            source.write_bytes(b"\n".join(rows) + b"\n")
            cpu_seconds, memory_mb = self._run(source, target)
            answers = [orjson.loads(line) for line in target.read_bytes().splitlines()]
        failed = [place for place, answer in enumerate(answers) if "intent" not in answer]
        if len(answers) != len(records) or failed:
            raise JobError(
                f"{self._bundle.name} labelled {len(answers) - len(failed)} of {len(records)} messages"
                + (f"; the first refused: {records[failed[0]].text[:60]!r}" if failed else "")
            )
        size = sum(path.stat().st_size for path in self._bundle.iterdir() if path.is_file())
        return answers, Cost(cpu_seconds=cpu_seconds, megabytes=size / 1e6, memory_mb=memory_mb)

    def _run(self, source: Path, target: Path) -> tuple[float, float]:
        """Run the command; returns its CPU seconds and greatest memory in MB."""
        command = [sys.executable, "-m", "nlp_service", "classify", "--input", str(source), "--output", str(target)]
        with (source.parent / "errors.txt").open("w+b") as errors:
            process = subprocess.Popen(  # noqa: S603  # our own command; values are arguments, no shell
                [*command, "--model", str(self._bundle)],
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, **self._environment},
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace").strip()
        if process.returncode:
            raise JobError(f"{self._bundle.name} cannot label: {said[-_LAST:]}")
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
