"""Training as a process of its own: `python -m training onward`, which the service itself never imports."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from nlp_service.errors import ConfigurationError, JobError

_CHECK_SECONDS = 0.5
_LAST = 15  # lines that an error may be found in


@dataclass(frozen=True, kw_only=True)
class TrainOrder:
    """What is to be trained."""

    corpora: tuple[Path, ...]
    parent: Path  # bundle to go on from
    out: Path
    version: str  # of the candidate
    taxonomy: Path | None = None  # None: the parent's
    moves: Path | None = None
    changes: tuple[str, ...] = ()  # KEY=VALUE of the recipe
    public_sets: Path | None = None
    recipe: Path | None = None


class TrainProcess:
    """Runs training from the folder that holds the `training` package."""

    def __init__(self, folder: Path, *, niceness: int = 0) -> None:
        self._folder = folder
        self._niceness = niceness

    def require(self) -> None:
        """Raise ConfigurationError where training is not there, saying how to get it."""
        if not (self._folder / "training" / "__main__.py").is_file():
            raise ConfigurationError(
                f"{self._folder.resolve()} has no training package: run in a checkout of the repository, "
                "or set NLP_SERVICE_TRAINING_FOLDER to one"
            )
        missing = [name for name in ("torch", "onnx", "matplotlib") if find_spec(name) is None]
        if missing:
            raise ConfigurationError(
                f"training needs {', '.join(missing)}, which the serving install leaves out: "
                "install the train extra, pip install 'nlp-service[train]'"
            )

    def run(self, order: TrainOrder, *, say: Callable[[str], None], check: Callable[[], None] = lambda: None) -> Path:
        """Train until done; returns the bundle.

        Args:
            order: what to train; the same order goes on where a killed run was.
            say: gets every line of the log.
            check: called every half second; what it raises ends the process.

        Raises:
            JobError: training failed; its own words are in the message.
        """
        self.require()
        process = subprocess.Popen(  # noqa: S603  # our own command; values are arguments, no shell
            [sys.executable, "-m", "training", *_arguments(order)],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(self._folder.resolve()), *sys.path[1:]])},
        )
        if self._niceness:
            os.setpriority(os.PRIO_PROCESS, process.pid, self._niceness)
        try:
            last = _follow(process, say, check)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            if process.stderr is not None:
                process.stderr.close()
        if process.returncode:
            said = [line for line in last if line.startswith("error: ")] or last[-1:]
            raise JobError(
                f"training ended with code {process.returncode}: {' '.join(said).removeprefix('error: ')}; "
                f"what is finished stays in {order.out}, the same command goes on there"
            )
        return order.out / "bundle"


def _arguments(order: TrainOrder) -> list[str]:
    arguments = ["onward"]
    for path in order.corpora:
        arguments += ["--corpus", str(path.resolve())]
    arguments += ["--parent", str(order.parent.resolve()), "--out", str(order.out.resolve())]
    arguments += ["--version", order.version]
    for name, given in (
        ("--taxonomy", order.taxonomy),
        ("--moves", order.moves),
        ("--corpora", order.public_sets),
        ("--recipe", order.recipe),
    ):
        if given is not None:
            arguments += [name, str(given.resolve())]
    for change in order.changes:
        arguments += ["--set", change]
    return arguments


def _follow(process: subprocess.Popen[bytes], say: Callable[[str], None], check: Callable[[], None]) -> Sequence[str]:
    """Pass every line on until the process ends; returns the last ones."""
    assert process.stderr is not None
    said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    reader = threading.Thread(target=_forward, args=(process.stderr, said), daemon=True)
    reader.start()
    last: list[str] = []
    while True:
        check()
        try:
            line = said.get(timeout=_CHECK_SECONDS)
        except queue.Empty:
            continue
        if line is None:
            break
        last = [*last[-_LAST:], line]
        say(line)
    process.wait()
    reader.join()
    return last


def _forward(stream: IO[bytes], said: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        said.put(line.decode("utf-8", "replace").rstrip())
    said.put(None)
