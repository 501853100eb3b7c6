"""A bulk job as values: chunks of rows on their way in, labelled chunks on their way out, and the tally of both."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nlp_service.core.labelling import Labelling
from nlp_service.core.messages import Message
from nlp_service.core.rows import Item, Origin

SCHEMA_VERSION = 1  # of the output rows


@dataclass(frozen=True, kw_only=True, order=True)
class Position:
    """Where reading goes on: rows of the file that were taken."""

    file: int
    rows: int


BEGINNING = Position(file=0, rows=0)


@dataclass(frozen=True, kw_only=True)
class Chunk:
    """What becomes one part of the output."""

    number: int
    end: Position  # after its last row
    rows: int
    items: Sequence[Item]


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelledItem:
    message: Message
    labelling: Labelling
    origin: Origin
    number: int
    conversation_id: str | None
    turn: int | None
    text_key: int  # equal for equal normalised text and context; 64 bits


@dataclass(frozen=True, kw_only=True, slots=True)
class Rejected:
    source: str
    number: int
    reason: str
    turn: int | None = None

    def as_data(self) -> dict[str, Any]:
        turn = {} if self.turn is None else {"turn": self.turn}
        return {"source": self.source, "line": self.number, **turn, "reason": self.reason}


@dataclass(frozen=True, kw_only=True)
class LabelledChunk:
    number: int
    end: Position
    rows: int
    labelled: Sequence[LabelledItem]
    rejected: Sequence[Rejected]
    agent_turns: int

    @property
    def tally(self) -> Tally:
        return Tally(
            rows=self.rows, labelled=len(self.labelled), rejected=len(self.rejected), agent_turns=self.agent_turns
        )


@dataclass(frozen=True, kw_only=True)
class Tally:
    """read = labelled + rejected + agent_turns. Without transcripts there are no agents' turns and read = rows."""

    rows: int = 0
    labelled: int = 0
    rejected: int = 0
    agent_turns: int = 0

    @property
    def read(self) -> int:
        return self.labelled + self.rejected + self.agent_turns

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            rows=self.rows + other.rows,
            labelled=self.labelled + other.labelled,
            rejected=self.rejected + other.rejected,
            agent_turns=self.agent_turns + other.agent_turns,
        )


@dataclass(frozen=True, kw_only=True)
class Progress:
    tally: Tally
    expected: int | None  # rows
    seconds: float  # of this run
    before: int  # rows done in runs before, of the tally

    @property
    def rate(self) -> float:
        """Rows a second of this run."""
        return (self.tally.rows - self.before) / self.seconds if self.seconds > 0 else 0.0


def text_key(segments: tuple[str, str]) -> int:
    """Return 64 bits that equal segments share."""
    joined = "\x00".join(segments).encode("utf-8", "replace")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "little")
