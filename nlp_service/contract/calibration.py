"""Calibration of the model heads: its file format and its pure application, shared by training and serving."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nlp_service.errors import BundleError

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Abstention:
    """A threshold on the intent confidence and the promise that it keeps."""

    threshold: float
    target_accuracy: float  # asked for on what is answered automatically
    risk_level: float  # probability that the promise fails, over draws of the calibration data
    coverage: float  # share answered automatically on the calibration data
    accuracy: float  # accuracy of that share on the calibration data


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Temperatures per head, thresholds of the flags, and the promises of abstention by target accuracy."""

    temperatures: Mapping[str, float]  # head -> T; probability = softmax or sigmoid of logits / T
    flag_thresholds: Mapping[str, float]  # flag id -> probability from which it is set
    scope_threshold: float  # calibrated probability of being out of scope from which a person must look
    abstention: tuple[Abstention, ...]  # ascending target accuracy; policy picks one
    default_target: float = 0.95
    theme_similarity: float = 0.80  # cosine from which a message may join a theme, before per-theme calibration
    reference: Mapping[str, Any] = field(default_factory=dict)  # label shares and embedding statistics, for drift

    def for_target(self, target_accuracy: float | None = None) -> Abstention:
        """Return the weakest stored promise at least as strong as asked, else the strongest."""
        target = self.default_target if target_accuracy is None else target_accuracy
        for candidate in self.abstention:
            if candidate.target_accuracy >= target - 1e-9:
                return candidate
        return self.abstention[-1]


def softmax(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Probabilities of shape ``logits`` whose rows sum to 1."""
    scaled = logits.astype(np.float64) / temperature
    exponent = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=-1, keepdims=True), dtype=np.float32)


def sigmoid(logits: FloatArray, temperature: float = 1.0) -> FloatArray:
    """Independent probabilities of shape ``logits``."""
    return np.asarray(1.0 / (1.0 + np.exp(-logits.astype(np.float64) / temperature)), dtype=np.float32)


def read_calibration(path: Path) -> Calibration:
    """Read calibration.json; raises BundleError naming the file when a key is missing or malformed."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        promises = tuple(Abstention(**entry) for entry in raw.pop("abstention"))
        if not promises:
            raise ValueError("abstention is empty")
        return Calibration(abstention=promises, **raw)
    except (OSError, ValueError, KeyError, TypeError) as exc:
        raise BundleError(f"calibration {path} cannot be used: {exc}") from exc


def write_calibration(calibration: Calibration, path: Path) -> None:
    path.write_text(json.dumps(asdict(calibration), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
