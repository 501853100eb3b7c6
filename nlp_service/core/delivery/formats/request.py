"""A request as it goes over the wire."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON_HEADERS: Mapping[str, str] = {"content-type": "application/json; charset=utf-8", "user-agent": "nlp-service"}


@dataclass(frozen=True, kw_only=True)
class HttpRequest:
    url: str = field(repr=False)  # may be a secret
    body: bytes = field(repr=False)
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=lambda: JSON_HEADERS, repr=False)


def as_json(document: Any) -> bytes:
    """Return compact JSON in UTF-8; what UTF-8 cannot hold becomes a question mark."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
