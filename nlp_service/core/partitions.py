"""Into which folder of a partitioned output a labelled row goes: `month=2026-03/channel=app`, as Hive names them.

Values are percent-encoded as readers of such folders decode them; an absent value has Hive's own name for it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from nlp_service.errors import InputError

TIMES = {"day": "%Y-%m-%d", "month": "%Y-%m", "year": "%Y"}  # of when the message was sent
COLUMNS = (
    *("channel", "customer_tier", "product", "region", "language", "intent", "intent_group", "sentiment", "emotion"),
    *("urgency", "priority", "department", "source"),
)
KEYS = (*TIMES, *COLUMNS)
ABSENT = "__HIVE_DEFAULT_PARTITION__"
LONGEST = 200  # bytes of a folder's name; file systems take 255
_PLAIN = re.compile(r"[\w.\- ]+")  # letters of every script stay readable


def read_keys(text: str) -> tuple[str, ...]:
    """Read `month,channel`; raises InputError for a name that is not known or is there twice."""
    keys = tuple(part.strip() for part in text.split(",") if part.strip())
    for key in keys:
        if key not in KEYS:
            raise InputError(f"an output cannot be partitioned by {key!r}: use {', '.join(KEYS)}")
    if len(set(keys)) < len(keys):
        raise InputError(f"partition {text!r} names a column twice")
    return keys


def folder_of(row: Mapping[str, Any], keys: Sequence[str], *, offset: timedelta) -> str:
    """Return the folder of a flat row, "" without keys; times are taken at ``offset`` from UTC."""
    return "/".join(f"{key}={_segment(_value(row, key, offset))}" for key in keys)


def _value(row: Mapping[str, Any], key: str, offset: timedelta) -> str | None:
    if key not in TIMES:
        return None if row[key] is None else str(row[key])
    at = row["sent_at"]
    return None if at is None else (at + offset - (at.utcoffset() or timedelta())).strftime(TIMES[key])


def _segment(value: str | None) -> str:
    if not value:
        return ABSENT
    encoded = value if _PLAIN.fullmatch(value) else "".join(_encode(sign) for sign in value)
    if len(encoded.encode("utf-8", "replace")) <= LONGEST:
        return encoded
    digest = hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=6).hexdigest()
    return f"{''.join(_encode(sign) for sign in value[:12])}~{digest}"


def _encode(sign: str) -> str:
    return sign if _PLAIN.fullmatch(sign) else quote(sign, safe="", errors="replace")
