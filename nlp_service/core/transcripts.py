"""Turns of a conversation, from the forms in which transcripts are kept."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

CUSTOMER_WORDS = (
    *("顾客", "客户", "用户", "买家", "消费者", "访客", "会员", "来电人", "来电者", "主叫"),
    *("customer", "user", "client", "buyer", "visitor", "caller", "consumer", "guest"),
)
AGENT_WORDS = (
    *("客服", "坐席", "座席", "商家", "卖家", "店家", "机器人", "系统", "小二", "店小二", "专员"),
    *(
        "人工客服",
        "智能客服",
        "在线客服",
        "客户服务",
        "用户服务",
        "customer service",
        "customer support",
        "customer care",
    ),
    *("agent", "staff", "assistant", "bot", "robot", "system", "service", "seller", "support", "representative"),
    *("operator", "advisor", "rep", "csr", "employee", "shop"),
)
_WORDS = "|".join(sorted((*CUSTOMER_WORDS, *AGENT_WORDS), key=len, reverse=True))
# A marker stands at the beginning, or after a space, line break or closing punctuation.
_MARKER = re.compile(
    rf"(?:^|(?<=[\s。！？!?.;；\]】)）]))[\[【]?({_WORDS})\s?[A-Za-z]?\d{{0,6}}[\]】]?\s?[:：]\s*", re.IGNORECASE
)
_TEXT_KEYS = ("text", "content", "utterance", "message", "body", "内容", "文本", "话语", "消息")
_SPEAKER_KEYS = ("speaker", "role", "sender", "from", "author", "sender_type", "说话人", "角色", "发送方", "发言人")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    speaker: str
    text: str


def is_customer(speaker: str, *, customers: Collection[str] = ()) -> bool | None:
    """Tell whether a speaker is the customer; None where the name says nothing.

    ``customers`` names those that are; given, everyone else is an agent.
    """
    name = speaker.strip().casefold()
    if customers:
        return name in {known.strip().casefold() for known in customers}
    if name.startswith(AGENT_WORDS):
        return False
    if name.startswith(CUSTOMER_WORDS):
        return True
    return None


def said(speaker_is_customer: bool, text: str) -> str:
    """Return a turn as context is written everywhere."""
    return f"{'顾客' if speaker_is_customer else '客服'}: {text}"


def split_cell(text: str) -> tuple[Turn, ...]:
    """Split "客服：您好 顾客：我的快递呢" into turns; empty where no speaker is marked.

    Text before the first marker belongs to nobody and makes a turn of an unnamed speaker.
    """
    marks = list(_MARKER.finditer(text))
    if not marks:
        return ()
    turns = []
    if head := text[: marks[0].start()].strip():
        turns.append(Turn(speaker="", text=head))
    for mark, end in zip(marks, [*[mark.start() for mark in marks[1:]], len(text)], strict=True):
        if body := text[mark.end() : end].strip():
            turns.append(Turn(speaker=mark.group(1), text=body))
    return tuple(turns)


def looks_like_cell(text: str) -> bool:
    """Tell whether a text holds at least two marked turns."""
    return len(_MARKER.findall(text)) >= 2


def looks_like_turns(value: object) -> bool:
    """Tell whether a value is a list of turns as objects with speaker and text."""
    if not isinstance(value, list) or not value or not isinstance(value[0], Mapping):
        return False
    return _pick(value[0], _TEXT_KEYS) is not None and _pick(value[0], _SPEAKER_KEYS) is not None


def read_turns(value: Sequence[object]) -> tuple[Turn, ...]:
    """Read a list of turns; raises ValueError naming the turn at fault."""
    turns = []
    for place, entry in enumerate(value, 1):
        if not isinstance(entry, Mapping):
            raise ValueError(f"turn {place} is not an object")  # noqa: TRY004  # a fault of the data, not of a caller
        text_key, speaker_key = _pick(entry, _TEXT_KEYS), _pick(entry, _SPEAKER_KEYS)
        if text_key is None or speaker_key is None:
            raise ValueError(f"turn {place} has no {'text' if text_key is None else 'speaker'}")
        turns.append(Turn(speaker=str(entry[speaker_key]), text=str(entry[text_key] or "")))
    return tuple(turns)


def _pick(entry: Mapping[Any, Any], keys: Sequence[str]) -> str | None:
    return next((key for key in keys if key in entry), None)
