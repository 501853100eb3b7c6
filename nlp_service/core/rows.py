"""Rows of a file, and the items to label or to reject that they become."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Origin:
    """The file that a row comes from."""

    name: str  # as shown to people
    place: int  # among the input files, from 0
    key: str  # 12 hexadecimal digits of its content: ids made from it are the same in every run


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    origin: Origin
    number: int  # line of a text file, row of a table; from 1
    fields: Mapping[str, Any] | None = None  # column -> value; None where the row cannot be read
    fault: str | None = None  # why it cannot be read


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """A message to label, a turn of an agent that only gives context, or a fault."""

    origin: Origin
    number: int
    fields: dict[str, Any] | None = None  # fields of a message, as /classify takes them
    fault: str | None = None
    agent: bool = False
    conversation_id: str | None = None
    turn: int | None = None  # place in the conversation, from 1, agents' turns counted
