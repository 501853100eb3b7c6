"""Taking a customer's words out of documents that quote them."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

ELLIPSIS = "…"


def without_quotes(document: Any, texts: Collection[str], message_ids: Collection[str]) -> Any:
    """Return the document without its quotes of these messages, the same object where it quotes none.

    A quote is a string in a list under ``quotes``, whole or cut with an ellipsis, or an object with ``text`` and
    perhaps ``message_id``, which then decides, wherever it stands; outside of a list it loses its text.
    """
    if isinstance(document, list):
        kept = [entry for entry in document if not _is_quote(entry, texts, message_ids)]
        cleaned = [without_quotes(entry, texts, message_ids) for entry in kept]
        same = len(kept) == len(document) and all(new is old for new, old in zip(cleaned, document, strict=True))
        return document if same else cleaned
    if isinstance(document, dict):
        if _is_quote(document, texts, message_ids):
            return {**document, "text": ""}
        cleaned_fields = {key: _field(key, value, texts, message_ids) for key, value in document.items()}
        same = all(cleaned_fields[key] is value for key, value in document.items())
        return document if same else cleaned_fields
    return document


def _field(key: str, value: Any, texts: Collection[str], message_ids: Collection[str]) -> Any:
    if key == "quotes" and isinstance(value, list):
        kept = [entry for entry in value if not (isinstance(entry, str) and _is_one_of(entry, texts))]
        value = value if len(kept) == len(value) else kept
    return without_quotes(value, texts, message_ids)


def _is_quote(entry: Any, texts: Collection[str], message_ids: Collection[str]) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("text"), str) or not entry["text"]:
        return False
    message_id = entry.get("message_id")
    if isinstance(message_id, str):  # another customer may have said the same
        return message_id in message_ids
    return _is_one_of(entry["text"], texts)


def _is_one_of(quote: str, texts: Collection[str]) -> bool:
    if quote in texts:
        return True
    start = quote.removesuffix(ELLIPSIS).rstrip()
    return quote.endswith(ELLIPSIS) and len(start) >= 4 and any(text.startswith(start) for text in texts)
