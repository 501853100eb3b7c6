"""Themes and their measures as JSON documents, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from nlp_service.core.themes.values import Measure, Theme

_THEME = TypeAdapter(Theme)
_MEASURE = TypeAdapter(Measure)


def encode_theme(theme: Theme) -> dict[str, Any]:
    document: dict[str, Any] = _THEME.dump_python(theme, mode="json")
    return document


def decode_theme(document: Mapping[str, Any]) -> Theme:
    return _THEME.validate_python(document)


def encode_measure(measure: Measure) -> dict[str, Any]:
    document: dict[str, Any] = _MEASURE.dump_python(measure, mode="json")
    return document


def decode_measure(document: Mapping[str, Any]) -> Measure:
    return _MEASURE.validate_python(document)
