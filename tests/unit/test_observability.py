"""The dashboard and the alerts ask for metrics that the service has, with labels that these have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from nlp_service.adapters.metrics import Metrics

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "observability"
_METRIC = re.compile(r"\b(nlp_\w+)")
_LABELS = re.compile(r"\b(nlp_\w+)\{([^}]*)\}")


def expressions() -> Iterator[str]:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def known() -> dict[str, set[str]]:
    """Return the labels of every series name that the service exposes."""
    found: dict[str, set[str]] = {}
    for collector in list(Metrics().registry._collector_to_names):
        labels = set(getattr(collector, "_labelnames", ()))
        for name in Metrics().registry._collector_to_names.get(collector, ()) or _names(collector):
            found[name] = labels
    return found


def _names(collector: object) -> list[str]:
    name = str(getattr(collector, "_name", ""))
    kind = str(getattr(collector, "_type", ""))
    suffixes = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(kind, ("",))
    return [name + suffix for suffix in suffixes]


@pytest.mark.parametrize("expression", list(expressions()))
def test_every_metric_that_is_named_exists(expression: str) -> None:
    exist = known()
    assert set(_METRIC.findall(expression)) <= exist.keys()
    for name, conditions in _LABELS.findall(expression):
        asked = {part.partition("=")[0].strip("!~ ") for part in conditions.split(",") if part.strip()}
        assert asked <= exist[name]
