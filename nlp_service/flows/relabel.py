"""Label history in bulk: rows in, parts out, each part kept before the next is counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from nlp_service.core.decision import IdentifyLanguage, Judge, Prepared, decide, prepare
from nlp_service.core.expand import Expander
from nlp_service.core.history import CustomerHistory
from nlp_service.core.labelling import Scores
from nlp_service.core.relabelling import (
    BEGINNING,
    Chunk,
    LabelledChunk,
    LabelledItem,
    Position,
    Progress,
    Rejected,
    text_key,
)
from nlp_service.core.reuse import ScoreReuse
from nlp_service.core.rows import Item
from nlp_service.errors import Cancelled, InvalidMessage
from nlp_service.ports import ChunkLabeller, MessageStore, Model, Parts, Rows
from nlp_service.wire.messages import parse_message

PART_ROWS = 10_000
REMEMBERED = 100_000  # texts whose scores are kept against duplicates: about 200 MB


@dataclass(frozen=True, kw_only=True)
class Relabel:
    """One job: the same call starts it and resumes it."""

    rows: Rows
    expander: Expander
    labeller: ChunkLabeller
    parts: Parts
    part_rows: int = PART_ROWS
    store: MessageStore | None = None  # also keep the labellings where themes see them

    def __call__(
        self,
        *,
        report: Callable[[Progress], None] = lambda _: None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Label everything that no earlier run has finished, then close the output.

        Raises:
            Cancelled: ``cancelled`` said so; the finished parts are kept.
            JobError: the output cannot be written; resumable.
        """
        try:
            self._label(report, cancelled)
            self.parts.finish()
        finally:
            self.parts.close()

    def _label(self, report: Callable[[Progress], None], cancelled: Callable[[], bool]) -> None:
        tally, end, number = self.parts.done
        before, started = tally.rows, time.perf_counter()
        for done in self.labeller.label(
            Chunks(rows=self.rows, expander=self.expander, start=end, number=number, size=self.part_rows)
        ):
            if self.store is not None and done.labelled:
                self.store.save([(item.message, item.labelling) for item in done.labelled]).result()
            self.parts.write(done)
            tally += done.tally
            seconds = time.perf_counter() - started
            report(Progress(tally=tally, expected=self.rows.expected, seconds=seconds, before=before))
            if cancelled():
                raise Cancelled(f"stopped on request after {tally.rows} rows, which are kept: go on with --resume")


@dataclass(frozen=True, kw_only=True)
class Chunks:
    """The rows from a position on in chunks of ``size``; iterate once, here or in another process."""

    rows: Rows
    expander: Expander
    start: Position
    number: int  # of the first chunk
    size: int

    def __iter__(self) -> Iterator[Chunk]:
        """Yield the chunks.

        Where rows depend on rows before them (turns of conversations), those are read again for their context alone.
        """
        position = BEGINNING if self.expander.remembers else self.start
        number, taken = self.number, 0
        items: list[Item] = []
        for row in self.rows.rows(position):
            place = row.origin.place
            position = Position(file=place, rows=position.rows + 1 if place == position.file else 1)
            expanded = self.expander.expand(row)
            if position <= self.start:
                continue
            items += expanded
            taken += 1
            if taken == self.size:
                yield Chunk(number=number, end=position, rows=taken, items=items)
                number, items, taken = number + 1, [], 0
        if taken:
            yield Chunk(number=number, end=position, rows=taken, items=items)


@dataclass(frozen=True, kw_only=True)
class ReadyChunk:
    """A chunk whose messages are prepared for the encoder."""

    chunk: Chunk
    items: list[Item]  # those to label
    prepared: list[Prepared]
    keys: list[int]
    rejected: list[Rejected]
    agent_turns: int


@dataclass(frozen=True, kw_only=True)
class LocalLabeller:
    """ports.ChunkLabeller in this process: one chunk is read while the one before is scored."""

    model: Model
    judge: Judge
    identify: IdentifyLanguage
    now: Callable[[], datetime]
    reuse: ScoreReuse = field(default_factory=lambda: ScoreReuse(REMEMBERED))

    def label(self, chunks: Iterable[Chunk]) -> Iterator[LabelledChunk]:
        """Yield the chunks labelled, in order."""
        source = iter(chunks)
        with ThreadPoolExecutor(1, "read") as reading, ThreadPoolExecutor(1, "score") as scoring:
            pending: Future[tuple[ReadyChunk, Scores]] | None = None
            upcoming = reading.submit(self._next, source)
            while True:
                ready = upcoming.result()
                following = None
                if ready is not None:
                    following = scoring.submit(self._score, ready)
                    upcoming = reading.submit(self._next, source)
                if pending is not None:
                    yield self.decide(*pending.result())
                pending = following
                if pending is None:
                    return

    def label_one(self, chunk: Chunk) -> LabelledChunk:
        """Label one chunk without reading ahead, as a remote worker does."""
        return self.decide(*self._score(self.prepare(chunk)))

    def prepare(self, chunk: Chunk) -> ReadyChunk:
        """Check and prepare the messages of a chunk; what breaks the schema is rejected."""
        items, prepared, rejected = [], [], []
        agents = 0
        for item in chunk.items:
            if item.agent:
                agents += 1
                continue
            try:
                if item.fault is not None or item.fields is None:
                    raise InvalidMessage(item.fault or "cannot be read")
                message, _ = parse_message(item.fields)
                prepared.append(prepare(message, self.identify))
                items.append(item)
            except InvalidMessage as exc:
                rejected.append(Rejected(source=item.origin.name, number=item.number, turn=item.turn, reason=str(exc)))
        keys = [text_key(entry.segments) for entry in prepared]
        return ReadyChunk(chunk=chunk, items=items, prepared=prepared, keys=keys, rejected=rejected, agent_turns=agents)

    def decide(self, ready: ReadyChunk, scores: Scores) -> LabelledChunk:
        """Decide everything about a chunk from its scores; no customer history is known."""
        at = self.now()
        histories = [CustomerHistory(customer_id=entry.message.customer_id) for entry in ready.prepared]
        labellings = decide(ready.prepared, scores, histories, self.judge, at=at) if ready.prepared else []
        labelled = [
            LabelledItem(
                message=entry.message,
                labelling=labelling,
                origin=item.origin,
                number=item.number,
                conversation_id=item.conversation_id,
                turn=item.turn,
                text_key=key,
            )
            for item, entry, labelling, key in zip(ready.items, ready.prepared, labellings, ready.keys, strict=True)
        ]
        chunk = ready.chunk
        return LabelledChunk(
            number=chunk.number,
            end=chunk.end,
            rows=chunk.rows,
            labelled=labelled,
            rejected=ready.rejected,
            agent_turns=ready.agent_turns,
        )

    def _next(self, chunks: Iterator[Chunk]) -> ReadyChunk | None:
        found = next(islice(chunks, 1), None)
        return None if found is None else self.prepare(found)

    def _score(self, ready: ReadyChunk) -> tuple[ReadyChunk, Scores]:
        segments = [entry.segments for entry in ready.prepared]
        return ready, self.reuse.score(ready.keys, segments, self.model.score)
