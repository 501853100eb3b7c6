"""What came of an attempt, read from the answer of each channel."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

KEPT_ANSWER = 500  # characters of an answer that are recorded
MOST_RETRY_AFTER = timedelta(hours=24)

_THROTTLED_FOR = {"dingtalk": timedelta(minutes=10), "wecom": timedelta(minutes=1), "feishu": timedelta(minutes=1)}
_CODES: Mapping[str, Mapping[str, str]] = {  # channel -> code -> kind; every other code but 0 is "refused"
    "feishu": {"11232": "throttled", "9499": "invalid", "19021": "refused", "19022": "refused", "19024": "refused"},
    "dingtalk": {"130101": "throttled", "410100": "throttled", "400013": "gone", "300001": "gone"},
    "wecom": {"45009": "throttled", "45033": "throttled", "40058": "invalid", "93000": "gone"},
}
_REMEDIES = {
    ("feishu", "19021"): "signature or time refused: check the secret and this machine's clock",
    ("feishu", "19022"): "this machine's address is not on the bot's list",
    ("feishu", "19024"): "the bot's key word is missing: add a key word of the messages, for example 主题",
    ("dingtalk", "310000"): "key word, signature or address refused: check the bot's security settings",
}


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One attempt as it ended.

    Kinds: delivered; refused (answered, but not with success); throttled; gone (the endpoint says it is no more);
    invalid (this content will never be taken); unreachable (no answer); forbidden (our own guard).
    """

    kind: str
    status: int | None = None  # of HTTP or SMTP
    code: str | None = None  # the channel's own
    detail: str = ""  # part of the answer, or what went wrong
    retry_after: timedelta | None = None


def read_answer(channel: str, status: int, headers: Mapping[str, str], body: bytes, *, now: datetime) -> Outcome:
    """Read an HTTP answer; header names in lower case. Success is 2xx, and no error code where a channel has codes."""
    text = body.decode("utf-8", "replace")
    detail = " ".join(text[:KEPT_ANSWER].split())
    wait = retry_after(headers.get("retry-after"), now=now)
    if 300 <= status < 400:
        return Outcome(kind="refused", status=status, detail=f"redirects are not followed; {detail}".strip("; "))
    if not 200 <= status < 300:
        kind = {410: "gone", 413: "invalid", 429: "throttled"}.get(status, "refused")
        return Outcome(kind=kind, status=status, detail=detail, retry_after=wait)
    code = _code(channel, text)
    if code == "0":
        return Outcome(kind="delivered", status=status, code=code if channel in _CODES else None, detail=detail)
    kind = _CODES[channel].get(code, "refused")
    if kind == "throttled" and wait is None:
        wait = _THROTTLED_FOR[channel]
    remedy = _REMEDIES.get((channel, code))
    detail = f"{remedy}; {detail}" if remedy else detail
    return Outcome(kind=kind, status=status, code=code, detail=detail[:KEPT_ANSWER], retry_after=wait)


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds or an HTTP date; None where it is absent, malformed or past."""
    if value is None:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(timedelta(seconds=int(value[:9])), MOST_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    wait = moment - now
    return min(wait, MOST_RETRY_AFTER) if wait > timedelta(0) else None


def _code(channel: str, text: str) -> str:
    """Return the channel's own code; a body that does not carry one where it must counts as an error."""
    if channel not in _CODES:
        return "0"
    try:
        answer: Any = json.loads(text)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        return "unreadable"
    names = ("code", "StatusCode") if channel == "feishu" else ("errcode",)
    found = [answer[name] for name in names if name in answer]
    return str(found[0]) if found else "missing"
