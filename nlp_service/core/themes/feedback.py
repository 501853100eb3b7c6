"""Feedback as columns: what was said in a span of time, and which of it counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from nlp_service.core.stored import LabelledMessage
from nlp_service.core.themes.neighbours import IntArray
from nlp_service.core.themes.values import Flood

DAY = 86_400.0
COPY_LENGTH = 8  # letters below which many people write the same by themselves
LONG_LENGTH = 30  # letters from which no two people write the same by chance
LONG_LEAST = 5  # copies of a long text within COPY_DAYS that make a flood
BURST_LEAST = 12  # copies of a shorter text within a day that make one
BURST_SHARE = 0.02  # and what they must be of that day's feedback
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

    Copies are bots and copy-paste: equal texts, letters compared. A long text needs few of them; a shorter one, which
    some people do write alike, must come in a burst that is a part of the day's feedback.
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
    return {key: rows for key, rows in groups.items() if _copied(feedback, key, rows)}


def _copied(feedback: Feedback, key: str, rows: Sequence[int]) -> bool:
    at = feedback.at[rows]
    if len(key) >= LONG_LENGTH:
        return bool(_most_within(at, COPY_DAYS * DAY) >= LONG_LEAST)
    if len(rows) < BURST_LEAST:
        return False
    ends = np.searchsorted(at, at + DAY)
    copied = ends - np.arange(len(at))
    heard = np.searchsorted(feedback.at, at + DAY) - np.searchsorted(feedback.at, at)
    return bool(((copied >= BURST_LEAST) & (copied >= BURST_SHARE * heard)).any())


def _most_within(at: npt.NDArray[np.float64], span: float) -> int:
    return int((np.searchsorted(at, at + span) - np.arange(len(at))).max())


def floods(feedback: Feedback, rows: IntArray, copied: Mapping[str, Sequence[int]]) -> tuple[Flood, ...]:
    """Return the copied texts among these rows, the most copied first; ``copied`` is what ``copies`` found."""
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
        if key in copied and len(messages) > 1
    ]
    return tuple(sorted(found, key=lambda flood: (-flood.messages, flood.text))[:5])


def customers(feedback: Feedback, rows: IntArray) -> int:
    """Count distinct customers; a message without one counts as a customer."""
    known = {feedback.messages[row].customer_id for row in rows} - {None}
    return len(known) + sum(feedback.messages[row].customer_id is None for row in rows)


def bare(text: str) -> str:
    """Return the letters of a text: what is left when somebody varies numbers, marks and spaces of a copy."""
    return "".join(char for char in text.lower() if char.isalpha())
