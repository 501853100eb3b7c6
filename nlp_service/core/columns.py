"""Which column of a file is which field of a message: guessed from names and content, or given."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from nlp_service.core.transcripts import is_customer, looks_like_cell, looks_like_turns
from nlp_service.errors import InputError

# What a column can be. `turns` is a list of objects, `transcript` a text with marked speakers.
FIELDS: Mapping[str, str] = {
    "text": "text content message msg body comment review feedback utterance question "
    "内容 消息 消息内容 消息文本 文本 留言 评论 评价 评价内容 评论内容 反馈 反馈内容 用户反馈 客户反馈 客户留言 "
    "问题描述 描述 正文 原文 聊天内容 发言",
    "id": "id messageid msgid uuid reviewid ticketid commentid 编号 序号 消息id 消息编号 工单号 工单编号 评论id 评价id",
    "context": "context 上文 上下文",
    "channel": "channel source platform 渠道 来源 平台 渠道名称",
    "customer_id": "customerid userid uid clientid buyerid openid customer "
    "客户id 用户id 顾客id 会员id 会员号 客户编号 用户编号",
    "customer_tier": "customertier tier level viplevel 会员等级 客户等级 用户等级 等级",
    "product": "product sku productname item goods 商品 商品名称 产品 产品名称 型号 品名",
    "region": "region province city area 地区 区域 省份 城市 大区",
    "sent_at": "sentat time timestamp createdat createtime datetime date sendtime "
    "时间 发送时间 创建时间 评论时间 评价时间 留言时间 日期 消息时间 反馈时间",
    "amount": "amount orderamount price total 金额 订单金额 实付金额 价格",
    "conversation_id": "conversationid sessionid dialogue dialogueid dialogid conversation session chatid callid "
    "会话id 对话id 会话编号 通话id 会话 对话 通话编号",
    "turn": "turn turnid turnno seq sequence 轮次 轮 句序 顺序",
    "speaker": "speaker role sender sendertype from 说话人 角色 发送方 发言人 发送者",
    "turns": "turns messages dialog utterances 对话内容 轮次列表",
    "transcript": "transcript chatlog log 通话转写 转写 转写文本 聊天记录 对话记录 会话内容 通话记录 录音文本",
}
NEEDED = ("text", "turns", "transcript")
_CASED = re.compile(r"[\s_\-./]+")
_DATE = re.compile(r"^\s*\d{4}[-/年.]\d{1,2}[-/月.]\d{1,2}")
_BY_NAME = {word: name for name in reversed(list(FIELDS)) for word in FIELDS[name].split()}


@dataclass(frozen=True, kw_only=True)
class ColumnMapping:
    """Field of a message -> column of the file."""

    columns: Mapping[str, str]
    why: Mapping[str, str] = field(default_factory=dict)  # field -> how it was found

    @property
    def shape(self) -> str:
        """Return messages (one a row), turns (a turn a row), conversations (a list a row) or cells (marked text)."""
        if "turns" in self.columns:
            return "conversations"
        if "transcript" in self.columns:
            return "cells"
        return "turns" if "speaker" in self.columns else "messages"

    @property
    def needed(self) -> str:
        """Return the column without which a row says nothing."""
        return next(self.columns[name] for name in ("turns", "transcript", "text") if name in self.columns)


def guess_mapping(
    headers: Sequence[str], sample: Sequence[Mapping[str, Any]], *, given: Mapping[str, str] | None = None
) -> ColumnMapping:
    """Guess what each column is; what was given stands.

    Raises:
        InputError: a given column does not exist, or no column holds text; the columns are named.
    """
    columns = check_given(given or {}, headers)
    why = dict.fromkeys(columns, "given")
    for test, name in ((looks_like_turns, "turns"), (_is_cell, "transcript")):
        found = None if any(key in columns for key in NEEDED) else _by_content(headers, sample, test, columns)
        if found is not None:
            columns[name], why[name] = found, "content: marked speakers"
    for header in headers:
        guess = _BY_NAME.get(_CASED.sub("", header).casefold())
        if guess is None or guess in columns or header in columns.values() or not _fits(guess, header, sample, columns):
            continue
        columns[guess], why[guess] = header, "name"
    if not any(key in columns for key in NEEDED):
        found = _most_talkative(headers, sample, taken=columns.values())
        if found is None:
            raise InputError(
                f"no column holds text; the columns are {', '.join(headers) or '(none)'}: "
                "say which one with --map text=COLUMN"
            )
        columns["text"], why["text"] = found, "content: the longest varied text"
    if "sent_at" not in columns:
        found = _by_content(headers, sample, _is_date, columns)
        if found is not None:
            columns["sent_at"], why["sent_at"] = found, "content: dates"
    return ColumnMapping(columns=columns, why=why)


def check_given(given: Mapping[str, str], headers: Sequence[str]) -> dict[str, str]:
    """Return a given mapping; raises InputError for an unknown field or column."""
    for name, column in given.items():
        if name not in FIELDS:
            raise InputError(f"field {name!r} is not one of {', '.join(FIELDS)}: correct --map {name}={column}")
        if column not in headers:
            raise InputError(f"column {column!r} does not exist; the columns are {', '.join(headers)}: correct --map")
    return dict(given)


def _fits(guess: str, header: str, sample: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> bool:
    """Tell whether a column's content allows what its name says."""
    if guess in NEEDED and any(key in columns for key in NEEDED):
        return False
    values = [row[header] for row in sample if row.get(header) not in (None, "")]
    if guess == "speaker":
        return any(is_customer(str(value)) is not None for value in values)
    return all(map(_ALLOWED.get(guess, _is_plain), values))


def _by_content(
    headers: Sequence[str],
    sample: Sequence[Mapping[str, Any]],
    test: Callable[[Any], bool],
    columns: Mapping[str, str],
) -> str | None:
    for header in headers:
        values = [row[header] for row in sample if row.get(header) not in (None, "")]
        if header not in columns.values() and values and sum(map(test, values)) >= 0.6 * len(values):
            return header
    return None


def _most_talkative(headers: Sequence[str], sample: Sequence[Mapping[str, Any]], *, taken: Any) -> str | None:
    best, longest = None, 3.0
    for header in headers:
        values = [row[header] for row in sample if isinstance(row.get(header), str) and row[header].strip()]
        wordy = [value for value in values if any(char.isalpha() for char in value) and not _is_date(value)]
        if header in taken or len(wordy) < 0.6 * max(len(values), 1) or not wordy:
            continue
        length = sum(map(len, wordy)) / len(wordy) * (len(set(wordy)) / len(wordy))
        if length > longest:
            best, longest = header, length
    return best


def _is_cell(value: Any) -> bool:
    return isinstance(value, str) and looks_like_cell(value)


def _is_date(value: Any) -> bool:
    return hasattr(value, "isoformat") or (isinstance(value, str) and _DATE.match(value) is not None)


def _is_number(value: Any) -> bool:
    try:
        float(str(value).replace(",", "").strip("¥￥元 "))
    except ValueError:
        return str(value).strip().casefold() in EMPTY
    return True


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (list, dict))


_ALLOWED: Mapping[str, Callable[[Any], bool]] = {
    "turns": looks_like_turns,
    "text": lambda value: isinstance(value, str),
    "transcript": lambda value: isinstance(value, str),
    "context": lambda value: isinstance(value, (str, list)),
    "amount": _is_number,
}
EMPTY = frozenset({"", "-", "--", "null", "none", "nan", "n/a", "na", "nil", "无", "空", "\\n"})  # no value
