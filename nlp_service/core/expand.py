"""From rows to messages: values put into the form that /classify takes, turns given their context."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

from nlp_service.core.columns import EMPTY, ColumnMapping
from nlp_service.core.messages import MAX_CONTEXT_TURNS
from nlp_service.core.rows import Item, Row
from nlp_service.core.transcripts import Turn, is_customer, read_turns, said, split_cell

MAX_CONTEXT_LENGTH = 10_000  # characters of one turn, as the request schema has it; the end is kept
OPEN_CONVERSATIONS = 100_000  # whose last turns are remembered while turns come row by row
_PLAIN = ("channel", "customer_id", "customer_tier", "product", "region")
_MONTHS = re.compile(r"[年月/.]")
_DIGITS = re.compile(r"^\d{10}(\d{3})?(\.\d+)?$")


class Expander:
    """Turns rows into items, in order; remembers the last turns of open conversations."""

    def __init__(
        self, mapping: ColumnMapping, *, offset: timedelta = timedelta(hours=8), customers: Collection[str] = ()
    ) -> None:
        self._mapping = mapping
        self._zone = timezone(offset)  # of times that name none
        self._customers = customers
        self._open: OrderedDict[str, tuple[int, tuple[str, ...]]] = OrderedDict()

    @property
    def remembers(self) -> bool:
        """Tell whether rows depend on rows before them."""
        return self._mapping.shape == "turns"

    def expand(self, row: Row) -> list[Item]:
        """Return what one row becomes: at least one item."""
        if row.fields is None:
            return [_fault(row, row.fault or "cannot be read")]
        try:
            items = list(self._items(row, row.fields))
        except ValueError as exc:
            return [_fault(row, str(exc))]
        return items or [_fault(row, f"column {self._mapping.needed!r} holds no turn")]

    def _items(self, row: Row, fields: Mapping[str, Any]) -> Iterator[Item]:
        shape = self._mapping.shape
        if shape in {"messages", "turns"}:
            yield self._single(row, fields)
            return
        value = self._value(fields, "turns" if shape == "conversations" else "transcript")
        if value is None:
            raise ValueError(f"column {self._mapping.needed!r} is empty")
        if shape == "cells":
            turns: Sequence[Turn] = split_cell(str(value)) or (Turn(speaker="顾客", text=str(value)),)
        else:
            if not isinstance(value, list):
                raise ValueError(f"column {self._mapping.needed!r} is not a list of turns")
            turns = read_turns(value)
        yield from self._conversation(row, fields, turns)

    def _single(self, row: Row, fields: Mapping[str, Any]) -> Item:
        text = self._value(fields, "text")
        if text is None:
            raise ValueError(f"column {self._mapping.needed!r} is empty")
        text = str(text)
        message = self._fields(row, fields)
        message["text"] = text
        conversation = self._word(fields, "conversation_id")
        if self._mapping.shape == "messages":
            message["context"] = _context(self._value(fields, "context"))
            return Item(origin=row.origin, number=row.number, fields=message, conversation_id=conversation)
        speaker = self._word(fields, "speaker") or ""
        customer = is_customer(speaker, customers=self._customers)
        if customer is None:
            raise ValueError(f"speaker {speaker!r} is not known: name the customers with --customers")
        turn, before = self._remember(conversation, said(customer, text[-MAX_CONTEXT_LENGTH + 4 :]))
        if not customer:
            return Item(origin=row.origin, number=row.number, agent=True, conversation_id=conversation, turn=turn)
        message["context"] = list(before)
        return Item(origin=row.origin, number=row.number, fields=message, conversation_id=conversation, turn=turn)

    def _remember(self, conversation: str | None, turn: str) -> tuple[int | None, tuple[str, ...]]:
        """Return a turn's number and the turns before it."""
        if conversation is None:
            return None, ()
        number, before = self._open.pop(conversation, (0, ()))
        self._open[conversation] = (number + 1, (*before, turn)[-MAX_CONTEXT_TURNS:])
        if len(self._open) > OPEN_CONVERSATIONS:
            self._open.popitem(last=False)
        return number + 1, before

    def _conversation(self, row: Row, fields: Mapping[str, Any], turns: Sequence[Turn]) -> Iterator[Item]:
        common = self._fields(row, fields)
        given = common.pop("id")
        conversation = self._word(fields, "conversation_id") or given
        before: tuple[str, ...] = ()
        for number, turn in enumerate(turns, 1):
            text = turn.text.strip()
            customer = is_customer(turn.speaker, customers=self._customers)
            if customer is None and turn.speaker:
                fault = f"turn {number}: speaker {turn.speaker!r} is not known: name the customers with --customers"
                yield Item(origin=row.origin, number=row.number, fault=fault, turn=number)
                continue
            if not customer or not text:
                yield Item(origin=row.origin, number=row.number, agent=True, conversation_id=conversation, turn=number)
            else:
                message = {**common, "id": f"{conversation}-{number}", "text": text, "context": list(before)}
                yield Item(
                    origin=row.origin, number=row.number, fields=message, conversation_id=conversation, turn=number
                )
            if text:
                before = (*before, said(bool(customer), text[-MAX_CONTEXT_LENGTH + 4 :]))[-MAX_CONTEXT_TURNS:]

    def _fields(self, row: Row, fields: Mapping[str, Any]) -> dict[str, Any]:
        message: dict[str, Any] = {
            "id": self._word(fields, "id") or f"{row.origin.key}-{row.number}",
            "sent_at": read_time(self._value(fields, "sent_at"), self._zone),
            "amount": _amount(self._value(fields, "amount")),
        }
        for name in _PLAIN:
            message[name] = self._word(fields, name)
        return message

    def _value(self, fields: Mapping[str, Any], name: str) -> Any:
        """Return a field's value; None for every way to write that there is none."""
        value = fields.get(self._mapping.columns.get(name, ""))
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, str) and (not value.strip() or (name != "text" and value.strip().casefold() in EMPTY)):
            return None
        return value

    def _word(self, fields: Mapping[str, Any], name: str) -> str | None:
        value = self._value(fields, name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # a number that a spreadsheet made of an id
        return None if value is None else str(value).strip()


def read_time(value: Any, zone: timezone) -> datetime | None:
    """Read a time; one without zone is taken in ``zone``. Raises ValueError."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=zone)
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=zone)
    text = str(value).strip()
    if isinstance(value, (int, float)) or _DIGITS.match(text):
        seconds = float(text)
        return datetime.fromtimestamp(seconds / 1000 if seconds > 1e11 else seconds, tz=UTC)
    return _parse_time(text, zone)


def _parse_time(text: str, zone: timezone) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        head, _, tail = _MONTHS.sub("-", text.replace("日", " ")).partition(" ")
        parts = head.split("T")[0].split("-")
        try:
            year, month, day = (int(part) for part in parts)
            clock = tail.strip() or "00:00"
            moment = datetime.fromisoformat(
                f"{year:04}-{month:02}-{day:02} {clock if clock[1:2] != ':' else '0' + clock}"
            )
        except ValueError:
            raise ValueError(f"time {text[:40]!r} is not understood: write it as 2026-01-31 12:00:00") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)


def _amount(value: Any) -> float | None:
    if value is None:
        return None
    try:
        return float(str(value).replace(",", "").strip().strip("¥￥元 "))
    except ValueError:
        raise ValueError(f"amount {str(value)[:40]!r} is not a number") from None


def _context(value: Any) -> list[str]:
    """Return up to two turns, oldest first; a text has one a line."""
    if value is None:
        return []
    turns = value if isinstance(value, list) else str(value).splitlines()
    return [str(turn)[-MAX_CONTEXT_LENGTH:] for turn in turns if str(turn).strip()][-MAX_CONTEXT_TURNS:]


def _fault(row: Row, why: str) -> Item:
    return Item(origin=row.origin, number=row.number, fault=why)
