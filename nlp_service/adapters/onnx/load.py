"""A verified bundle, ready to score."""

from __future__ import annotations

import threading
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

TOKEN_BUDGET = 512  # padded tokens of one pass in bulk; beyond, what a layer computes leaves the second-level cache
BUFFER = 2048  # messages sorted by length together in bulk


class OnnxModel:
    """Scores messages with one bundle; safe from several threads.

    One session serves all threads: a pass runs on the thread that asks for it, so that weights are held once however
    many passes run beside each other.
    """

    def __init__(
        self,
        *,
        manifest: Manifest,
        taxonomy: Taxonomy,
        calibration: Calibration,
        tokenizer: SegmentTokenizer,
        columns: Columns,
        session: ort.InferenceSession,
        concurrency: int,
    ) -> None:
        self.identity = ModelIdentity(name=manifest.name, version=manifest.version)
        self.taxonomy = taxonomy
        self.calibration = calibration
        self.languages = manifest.languages
        self.concurrency = concurrency  # passes that may run at once
        self.columns = columns  # where each output lies in a packed row
        self._tokenizer = tokenizer
        self._session = session
        self._slots = threading.BoundedSemaphore(concurrency)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="score")

    @classmethod
    def load(cls, folder: Path, *, sessions: int) -> OnnxModel:
        """Verify a bundle and open it for ``sessions`` passes at once, of one thread each.

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
        with ThreadPoolExecutor(1) as beside:  # the runtime needs no interpreter while it loads
            session = beside.submit(open_session, folder / "model.onnx", columns)
            tokenizer = SegmentTokenizer.load(folder / "tokenizer.json", max_tokens=manifest.max_tokens)
        return cls(
            manifest=manifest,
            taxonomy=taxonomy,
            calibration=read_calibration(folder / "calibration.json"),
            tokenizer=tokenizer,
            columns=columns,
            session=session.result(),
            concurrency=sessions,
        )

    def score(self, segments: Sequence[Segments]) -> Scores:
        """Score n messages in order, in passes of similar length, several at once."""
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
        """Run a short and a full window, so that the first customer does not wait."""
        for length in (8, self._tokenizer.max_tokens):
            ids = [self._tokenizer.bos, *[self._tokenizer.eos] * (length - 1)]
            self.infer([Window(ids, length)])

    def tokenise(self, segments: Sequence[Segments]) -> list[Reading]:
        """Return the windows of each message."""
        return self._tokenizer.read(segments) if segments else []

    def infer(self, windows: Sequence[Window]) -> FloatArray:
        """Score windows in one pass: packed float32 (windows, columns). Waits while ``concurrency`` passes run."""
        inputs = self._tokenizer.collate(windows)
        with self._slots:
            return infer(self._session, inputs)

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
        plan = list(passes(windows, token_budget=TOKEN_BUDGET, at_once=self.concurrency))
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
