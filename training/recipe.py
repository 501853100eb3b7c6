"""A recipe: everything that decides a run, read from YAML. Unknown keys are refused."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from nlp_service.errors import ConfigurationError


@dataclass(frozen=True, kw_only=True)
class DataRecipe:
    """What is read. Sets are folders of --corpora; own and annotations are files of the repository's corpora/."""

    service: tuple[str, ...] = ()  # sets labelled in our contract
    intent_field: str = "intent"  # where those sets hold the intent; other people's corpora say "label"
    outside_label: str | None = None  # an intent value that means out of scope, e.g. "oos"
    annotations: tuple[str, ...] = ()  # files of corpora/annotations, joined with the text of their sets
    own: tuple[str, ...] = ()  # files of corpora/own
    moves: Mapping[str, str] = field(default_factory=dict)  # old intent -> today's, for renamed and merged labels
    own_limit: int | None = None  # at most so many of our own messages, drawn by hash; None for all
    files: tuple[str, ...] = ()  # further files in the corpus format, by path
    own_repeats: int = 1  # how often our own messages are seen in an epoch
    sets: Mapping[str, int | None] = field(default_factory=dict)  # public set -> examples an epoch, null for all
    dialogues: tuple[str, ...] = ()  # whole conversations, for pre-training
    pretrain_sets: Mapping[str, int | None] = field(default_factory=dict)
    validation_share: float = 0.1


@dataclass(frozen=True, kw_only=True)
class EncoderRecipe:
    """Where the encoder starts: the pretrained one, or a small one made from the corpus for tests."""

    kind: str = "pretrained"  # or "tiny"
    layers: int | None = None  # keep this many, evenly spaced
    hidden: int = 64
    heads: int = 4
    vocabulary: int = 4000


@dataclass(frozen=True, kw_only=True)
class PretrainRecipe:
    epochs: int = 0  # 0: no pre-training
    budget: int = 3072  # padded tokens a step
    encoder_rate: float = 1.5e-4
    heads_rate: float = 1e-3
    mask_share: float = 0.15
    max_tokens: int = 112
    max_context: int = 40


@dataclass(frozen=True, kw_only=True)
class TrainRecipe:
    epochs: int = 4
    budget: int = 2048  # padded tokens a step
    encoder_rate: float = 1e-4  # top layer
    heads_rate: float = 1e-3
    layer_decay: float = 0.95  # per layer below the top
    weight_decay: float = 0.01
    dropout: float = 0.1  # on the features of the heads
    encoder_dropout: float = 0.0  # on what each sublayer of the encoder adds
    word_dropout: float = 0.05  # input pieces replaced by the mask
    smoothing: float = 0.05
    average: float = 0.995  # decay of the moving average of the weights; 0: none
    adversarial: float = 0.0  # FGM step on the word vectors; 0: none
    consistency: float = 0.0  # R-Drop: weight of the divergence of two passes; doubles the cost of a step; 0: none
    embedding_weight: float = 0.5  # keeps the themes embedding near the original encoder
    max_tokens: int = 160
    max_context: int = 48


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All of it."""

    name: str
    seed: int = 7
    languages: tuple[str, ...] = ("zh",)
    quantisation: str = "static8"  # of the exported layers: see export.quantise_layers
    data: DataRecipe = DataRecipe()
    encoder: EncoderRecipe = EncoderRecipe()
    pretrain: PretrainRecipe = PretrainRecipe()
    train: TrainRecipe = TrainRecipe()


_SECTIONS = {"data": DataRecipe, "encoder": EncoderRecipe, "pretrain": PretrainRecipe, "train": TrainRecipe}


def load_recipe(path: Path, overrides: Mapping[str, str] | None = None) -> Recipe:
    """Read a recipe; ``overrides`` maps ``section.key`` to YAML values and is applied on top.

    Raises:
        ConfigurationError: not readable, or a key that no recipe has; the key is named.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as exc:
        raise ConfigurationError(f"recipe {path} cannot be read: {exc}") from exc
    for dotted, value in (overrides or {}).items():
        place = raw
        *sections, key = dotted.split(".")
        for section in sections:
            place = place.setdefault(section, {})
        place[key] = yaml.safe_load(value)
    values = {
        key: _build(_SECTIONS[key], value, f"{path}: {key}") if key in _SECTIONS else value
        for key, value in raw.items()
    }
    recipe: Recipe = _build(Recipe, values, str(path))
    return recipe


def _build(cls: Any, raw: Mapping[str, Any], where: str) -> Any:
    known = {item.name for item in fields(cls)}
    unknown = sorted(set(raw) - known)
    if unknown:
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(sorted(known))}")
    return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in raw.items()})
