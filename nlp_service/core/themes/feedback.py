"""Feedback as columns: what was said in a span of time, and which of it counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from nlp_service.core.stored import LabelledMessage
from nlp_service.core.themes.neighbours import IntArray
from nlp_service.core.themes.values import Flood

DAY = 86_400.0
COPY_LENGTH = 8  # letters from which two people hardly write the same by chance
COPY_LEAST = 5  # equal texts that make a flood
COPY_DAYS = 7  # within which copies count once
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Feedback:
    """Messages in ascending time, with the seconds they were sent at."""

    messages: Sequence[LabelledMessage]
    at: npt.NDArray[np.float64]  # (n,) seconds since 1970, UTC

    @classmethod
    def of(cls, messages: Iterable[LabelledMessage]) -> Feedback:
        ordered = sorted(messages, key=lambda message: (message.occurred_at, message.message_id))
        at = np.array([message.occurred_at.timestamp() for message in ordered], dtype=np.float64)
        return cls(ordered, at)

    def __len__(self) -> int:
        return len(self.messages)

    def inside(self, start: datetime, end: datetime) -> Bools:
        """Mask of the messages from ``start`` up to, not including, ``end``."""
        return (self.at >= start.timestamp()) & (self.at < end.timestamp())

    def days(self, origin: datetime) -> IntArray:
        """Whole days of each message since ``origin``; negative before it."""
        return np.floor((self.at - origin.timestamp()) / DAY).astype(np.int64)


def carries_matter(message: LabelledMessage, *, scope_threshold: float) -> bool:
    """Tell whether a message says something that a theme can be about."""
    if message.intent in ("smalltalk", "human_agent") or message.out_of_scope >= scope_threshold:
        return False
    return sum(char.isalpha() for char in message.text) >= 2


def counting(feedback: Feedback, themes: IntArray) -> Bools:
    """Tell which messages count: copies count once a week, a customer once a day for one matter.

    Args:
        feedback: n messages.
        themes: (n,) the theme of each, -1 for none.

    Copies are equal texts, letters compared, of at least COPY_LENGTH letters, at least COPY_LEAST within COPY_DAYS:
    bots and copy-paste. Shorter texts may well be written by many.
    """
    counts = np.ones(len(feedback), dtype=np.bool_)
    for rows in copies(feedback).values():
        last = -np.inf
        for row in rows:
            if feedback.at[row] - last < COPY_DAYS * DAY:
                counts[row] = False
            else:
                last = feedback.at[row]
    said: set[tuple[str, object, int]] = set()
    for row, message in enumerate(feedback.messages):
        if message.customer_id is None or not counts[row]:
            continue
        matter: object = int(themes[row]) if themes[row] >= 0 else message.text_hash
        key = (message.customer_id, matter, int(feedback.at[row] // DAY))
        counts[row] = key not in said
        said.add(key)
    return counts


def copies(feedback: Feedback) -> dict[str, list[int]]:
    """Return the rows of each text that was copied, ascending in time."""
    groups: dict[str, list[int]] = defaultdict(list)
    for row, message in enumerate(feedback.messages):
        key = bare(message.text)
        if len(key) >= COPY_LENGTH:
            groups[key].append(row)
    span = COPY_DAYS * DAY
    return {
        key: rows
        for key, rows in groups.items()
        if len(rows) >= COPY_LEAST
        and any(
            feedback.at[rows[i + COPY_LEAST - 1]] - feedback.at[rows[i]] < span
            for i in range(len(rows) - COPY_LEAST + 1)
        )
    }


def floods(feedback: Feedback, rows: IntArray) -> tuple[Flood, ...]:
    """Return the copied texts among these rows, the most copied first."""
    groups: dict[str, list[LabelledMessage]] = defaultdict(list)
    for row in rows:
        groups[bare(feedback.messages[row].text)].append(feedback.messages[row])
    found = [
        Flood(
            text=messages[0].text,
            messages=len(messages),
            customers=len({message.customer_id for message in messages if message.customer_id}) or 1,
        )
        for key, messages in groups.items()
        if len(key) >= COPY_LENGTH and len(messages) >= COPY_LEAST
    ]
    return tuple(sorted(found, key=lambda flood: (-flood.messages, flood.text))[:5])


def customers(feedback: Feedback, rows: IntArray) -> int:
    """Count distinct customers; a message without one counts as a customer."""
    known = {feedback.messages[row].customer_id for row in rows} - {None}
    return len(known) + sum(feedback.messages[row].customer_id is None for row in rows)


def bare(text: str) -> str:
    """Return the letters of a text: what is left when somebody varies numbers, marks and spaces of a copy."""
    return "".join(char for char in text.lower() if char.isalpha())
