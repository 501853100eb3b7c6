"""From a recipe to examples: what trains, what validates, what pre-training reads."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.errors import CorpusError
from training.data.annotations import join_annotations
from training.data.catalogue import SPECS
from training.data.examples import Example, bucket, content_key
from training.data.sets import (
    Heads,
    held_back_keys,
    missing_sets,
    read_dialogues,
    read_questions,
    read_service,
    read_set,
)
from training.data.splits import SHORT, split_validation, without_texts
from training.recipe import DataRecipe

log = logging.getLogger(__name__)

# Where annotated public messages may lie: whole conversations and these training files.
ANNOTATED_DIALOGUES = ("jddc_raw", "jddc_uss")
ANNOTATED_QUESTIONS = ("jddc_qa",)
ANNOTATED_SETS = (
    "stc3_weibo_helpdesk",
    "afqmc",
    "atec_pairs",
    "online_shopping_10_cats",
    "waimai_10k",
    "df529_bank_comments",
    "bdci2018_car",
    "chnsenticorp_htl_all",
)


@dataclass(frozen=True, kw_only=True)
class Folders:
    """Where data lies."""

    corpora: Path  # public sets, outside of the repository
    repository: Path  # our own corpora/, with own/, annotations/ and taxonomy.yaml


@dataclass(frozen=True, kw_only=True)
class TrainingData:
    """Examples by their part; ``extra`` teaches auxiliary heads and single product heads."""

    main: list[Example]
    extra: list[Example]
    validation: list[Example]
    scope_validation: list[Example]  # out of scope, for the scope threshold
    heads: Heads


def require_sets(recipe: DataRecipe, corpora: Path, allow_missing: bool) -> DataRecipe:
    """Return the recipe without the sets that are missing, or refuse to train on less.

    Raises:
        CorpusError: sets are missing and ``allow_missing`` is not set; all of them are named.
    """
    wanted = [*recipe.service, *recipe.sets, *recipe.pretrain_sets, *recipe.dialogues]
    missing = sorted(set(missing_sets(corpora, wanted)))
    if missing and not allow_missing:
        raise CorpusError(f"{corpora} lacks {', '.join(missing)}: fetch them, or train on less with --allow-missing")
    if missing:
        log.warning("training WITHOUT %s, which %s lacks", ", ".join(missing), corpora)
    gone = set(missing)
    return replace(
        recipe,
        service=tuple(name for name in recipe.service if name not in gone),
        sets={name: limit for name, limit in recipe.sets.items() if name not in gone},
        pretrain_sets={name: limit for name, limit in recipe.pretrain_sets.items() if name not in gone},
        dialogues=tuple(name for name in recipe.dialogues if name not in gone),
    )


def assemble(recipe: DataRecipe, folders: Folders, taxonomy: Taxonomy, heads: Heads) -> TrainingData:
    """Read everything that training learns from, split by conversation and near-duplicate group."""
    labelled = [
        example
        for name in recipe.service
        for example in read_service(
            folders.corpora / name / "train.jsonl", taxonomy, recipe.intent_field, recipe.outside_label
        )
    ]
    labelled += _annotated(recipe, folders, taxonomy)
    labelled += [example for path in recipe.files for example in read_service(Path(path), taxonomy, moves=recipe.moves)]
    forbidden, dialogues = held_back_keys(folders.corpora) if folders.corpora.is_dir() else (set(), set())
    labelled = [e for e in without_texts(labelled, forbidden) if e.group not in dialogues]
    own = [
        e
        for name in recipe.own
        for e in read_service(folders.repository / "own" / f"{name}.jsonl", taxonomy, moves=recipe.moves)
    ]
    if recipe.own_limit is not None:
        own = sorted(own, key=lambda e: bucket(e.text, 1 << 30, seed="rehearse"))[: recipe.own_limit]
    main, validation = split_validation(labelled, recipe.validation_share)
    own_train, own_validation = split_validation(
        without_texts(own, forbidden), recipe.validation_share / 3 if labelled else recipe.validation_share
    )
    validation += own_validation
    taken = {key for e in validation if len(key := content_key(e.text)) >= SHORT}
    main = without_texts(main + own_train * recipe.own_repeats, taken)
    extra = [e for name, limit in recipe.sets.items() for e in read_set(folders.corpora, name, taxonomy, heads, limit)]
    extra, scope_validation = split_validation(without_texts(extra, forbidden | taken), 0.04)
    log.info("%d main, %d extra, %d validation examples", len(main), len(extra), len(validation))
    scope_validation = [e for e in scope_validation if e.scope == 1]
    return TrainingData(main=main, extra=extra, validation=validation, scope_validation=scope_validation, heads=heads)


def assemble_pretraining(recipe: DataRecipe, folders: Folders, taxonomy: Taxonomy, data: TrainingData) -> list[Example]:
    """Return what masked-word training reads: the labelled messages, public sets and whole conversations."""
    forbidden, held_back = held_back_keys(folders.corpora) if folders.corpora.is_dir() else (set(), set())
    held_back = held_back | {e.group for e in data.validation}
    forbidden = forbidden | {key for e in data.validation if len(key := content_key(e.text)) >= SHORT}
    examples = list(data.main)
    for name, limit in recipe.pretrain_sets.items():
        examples += read_set(folders.corpora, name, taxonomy, data.heads, limit)
    for name in recipe.dialogues:
        examples += read_dialogues(folders.corpora, name, held_back)
    return [e for e in without_texts(examples, forbidden) if e.group not in held_back]


def _annotated(recipe: DataRecipe, folders: Folders, taxonomy: Taxonomy) -> list[Example]:
    if not recipe.annotations:
        return []
    texts = list(_annotated_texts(folders.corpora, taxonomy))
    examples: list[Example] = []
    for name in recipe.annotations:
        found, lost = join_annotations(folders.repository / "annotations" / f"{name}.jsonl", texts, taxonomy)
        log.info("annotations %s: %d joined with their text, %d without", name, len(found), lost)
        examples += found
    return examples


def _annotated_texts(corpora: Path, taxonomy: Taxonomy) -> Iterator[Example]:
    for name in ANNOTATED_DIALOGUES:
        if (corpora / name / "dialogues.jsonl").is_file():
            yield from read_dialogues(corpora, name, set(), every_split=True)
    for name in ANNOTATED_QUESTIONS:
        if (corpora / name / "train.jsonl").is_file():
            yield from read_questions(corpora, name)
    for name in ANNOTATED_SETS:
        if name in SPECS and (corpora / name / "train.jsonl").is_file():
            yield from read_set(corpora, name, taxonomy, Heads())
