"""The limits of a trial, read from YAML; whatever is wrong is refused with its line."""

from __future__ import annotations

from importlib.resources import files

import yaml

from nlp_service.core.policy.nodes import Source
from nlp_service.core.trial.values import Limits

VERSION = 1
TOLERANCES = ("head", "label", "language", "slice", "calibration", "promise", "coverage", "robustness")
RATIOS = ("cpu_ratio", "size_ratio", "memory_ratio")
_SHARES = ("sure", "likely", "least_gain")
_COUNTS = ("least_messages", "resamples", "seed")


def default_limits() -> Limits:
    """Return the limits that come with the service."""
    text = files("nlp_service").joinpath("policy/trial.yaml").read_text(encoding="utf-8")
    return load_limits(text, where="nlp_service/policy/trial.yaml")


def load_limits(text: str, *, where: str) -> Limits:
    """Read limits; raises PolicyError naming the line of what is missing, unknown or out of range."""
    source = Source(where=where)
    root = source.compose(text)
    entries = source.mapping(root, "the limits")
    known = ("version", *_SHARES, *_COUNTS, "tolerance", "budget")
    source.keys(entries, known, "the limits")
    for key in known:
        if key not in entries:
            raise source.error(root, f"the limits lack {key!r}")
    version = source.whole(entries["version"][1], "version", least=1)
    if version != VERSION:
        raise source.error(entries["version"][1], f"version {version} is not known; this service reads {VERSION}")
    shares = {key: _share(source, entries[key][1], key) for key in _SHARES}
    counts = {key: source.whole(entries[key][1], key, least=0 if key == "seed" else 1) for key in _COUNTS}
    ratios = _all(source, entries["budget"][1], "budget", RATIOS)
    tolerance = {
        key: _share(source, node, f"tolerance.{key}")
        for key, node in _all(source, entries["tolerance"][1], "tolerance", TOLERANCES).items()
    }
    return Limits(
        sure=shares["sure"],
        likely=shares["likely"],
        least_gain=shares["least_gain"],
        least_messages=counts["least_messages"],
        resamples=counts["resamples"],
        seed=counts["seed"],
        tolerance=tolerance,
        **{key: source.number(node, f"budget.{key}") for key, node in ratios.items()},
    )


def _all(source: Source, node: yaml.Node, what: str, names: tuple[str, ...]) -> dict[str, yaml.Node]:
    """Return the values of a mapping that must hold exactly ``names``."""
    entries = source.mapping(node, what)
    source.keys(entries, names, what)
    missing = [name for name in names if name not in entries]
    if missing:
        raise source.error(node, f"{what} lacks {', '.join(missing)}")
    return {name: entries[name][1] for name in names}


def _share(source: Source, node: yaml.Node, what: str) -> float:
    value = source.number(node, what)
    if not 0 <= value < 1:
        raise source.error(node, f"{what} must lie in [0, 1), is {value:g}")
    return value
