"""A verified bundle, ready to score."""

from __future__ import annotations

import queue
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import numpy as np
import onnxruntime as ort

from nlp_service.adapters.onnx.session import Columns, infer, open_session
from nlp_service.adapters.onnx.windows import combine, passes
from nlp_service.contract.bundle import Manifest, read_manifest, verify_files
from nlp_service.contract.calibration import Calibration, read_calibration
from nlp_service.contract.encode import Reading, SegmentTokenizer, Window
from nlp_service.contract.taxonomy import Taxonomy, load_taxonomy
from nlp_service.core.labelling import FloatArray, ModelIdentity, Scores
from nlp_service.errors import BundleError
from nlp_service.ports import Segments

TOKEN_BUDGET = 1024  # padded tokens of one pass in bulk; more gains nothing on a CPU
BUFFER = 2048  # messages sorted by length together in bulk


class OnnxModel:
    """Scores messages with the sessions of one bundle; safe from several threads."""

    def __init__(
        self,
        *,
        manifest: Manifest,
        taxonomy: Taxonomy,
        calibration: Calibration,
        tokenizer: SegmentTokenizer,
        columns: Columns,
        sessions: Sequence[ort.InferenceSession],
    ) -> None:
        self.identity = ModelIdentity(name=manifest.name, version=manifest.version)
        self.taxonomy = taxonomy
        self.calibration = calibration
        self.languages = manifest.languages
        self.concurrency = len(sessions)  # passes that may run at once
        self._tokenizer = tokenizer
        self.columns = columns  # where each output lies in a packed row
        self._idle: queue.SimpleQueue[ort.InferenceSession] = queue.SimpleQueue()
        for session in sessions:
            self._idle.put(session)
        self._pool = ThreadPoolExecutor(len(sessions), thread_name_prefix="score")

    @classmethod
    def load(cls, folder: Path, *, sessions: int) -> OnnxModel:
        """Verify a bundle and open ``sessions`` sessions of one thread each.

        Raises:
            BundleError: a file is missing, damaged or made for another contract; both values are named.
            TaxonomyError: the bundle's taxonomy cannot be read.
        """
        manifest = read_manifest(folder)
        verify_files(folder, manifest)
        taxonomy = load_taxonomy(folder / "taxonomy.yaml")
        if taxonomy.fingerprint != manifest.taxonomy_fingerprint:
            raise BundleError(
                f"bundle {folder} was trained for taxonomy {manifest.taxonomy_fingerprint}, "
                f"its taxonomy.yaml is {taxonomy.fingerprint}: take the file that it was trained with"
            )
        columns = Columns.of_bundle(taxonomy, manifest.embedding_size)
        return cls(
            manifest=manifest,
            taxonomy=taxonomy,
            calibration=read_calibration(folder / "calibration.json"),
            tokenizer=SegmentTokenizer.load(folder / "tokenizer.json", max_tokens=manifest.max_tokens),
            columns=columns,
            sessions=[open_session(folder / "model.onnx", columns) for _ in range(sessions)],
        )

    def score(self, segments: Sequence[Segments]) -> Scores:
        """Score n messages in order, in passes of similar length on all sessions."""
        return self._score(self.tokenise(segments))

    def score_all(self, segments: Iterable[Segments], *, buffer: int = BUFFER) -> Iterator[Scores]:
        """Yield scores of up to ``buffer`` messages at a time, in order; memory does not grow with the input."""
        source = iter(segments)
        with ThreadPoolExecutor(1, thread_name_prefix="tokenise") as ahead:
            upcoming = ahead.submit(lambda: self.tokenise(list(islice(source, buffer))))
            while readings := upcoming.result():
                upcoming = ahead.submit(lambda: self.tokenise(list(islice(source, buffer))))
                yield self._score(readings)

    def warm_up(self) -> None:
        """Run every session over a short and a full window, so that the first customer does not wait."""
        lengths = (8, self._tokenizer.max_tokens)
        sessions = [self._idle.get() for _ in range(self.concurrency)]
        for session in sessions:
            for length in lengths:
                ids = [self._tokenizer.bos, *[self._tokenizer.eos] * (length - 1)]
                infer(session, self._tokenizer.collate([Window(ids, length)]))
            self._idle.put(session)

    def tokenise(self, segments: Sequence[Segments]) -> list[Reading]:
        """Return the windows of each message."""
        return self._tokenizer.read(segments) if segments else []

    def infer(self, windows: Sequence[Window]) -> FloatArray:
        """Score windows in one pass: packed float32 (windows, columns). Waits for an idle session."""
        inputs = self._tokenizer.collate(windows)
        session = self._idle.get()
        try:
            return infer(session, inputs)
        finally:
            self._idle.put(session)

    def combine(self, reading: Reading, rows: FloatArray) -> FloatArray:
        """Merge the packed rows (windows, columns) of one message into one (columns,)."""
        return combine(rows, reading.windows, self.columns)

    def unpack(self, rows: FloatArray, truncated: Sequence[bool]) -> Scores:
        """Return the scores of packed rows (n, columns)."""
        heads = {name: rows[:, columns] for name, columns in self.columns.of.items()}
        heads["scope"] = heads["scope"][:, 0]
        return Scores(**heads, truncated=np.array(truncated, dtype=np.bool_))

    def _score(self, readings: Sequence[Reading]) -> Scores:
        windows = [window for reading in readings for window in reading.windows]
        plan = list(passes(windows, token_budget=TOKEN_BUDGET))
        batches = [[windows[number] for number in numbers] for numbers in plan]
        results = self._pool.map(self.infer, batches) if len(batches) > 1 else map(self.infer, batches)
        packed = np.empty((len(windows), self.columns.total), dtype=np.float32)
        for numbers, rows in zip(plan, results, strict=True):
            packed[numbers] = rows
        truncated = [reading.truncated for reading in readings]
        if len(windows) == len(readings):
            return self.unpack(packed, truncated)
        merged = np.empty((len(readings), self.columns.total), dtype=np.float32)
        start = 0
        for row, reading in enumerate(readings):
            merged[row] = self.combine(reading, packed[start : start + len(reading.windows)])
            start += len(reading.windows)
        return self.unpack(merged, truncated)
