"""Intents with a few examples: they answer, they take little from the others, and moves are read in today's names."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
import yaml

from nlp_service.contract.taxonomy import Taxonomy, parse_taxonomy
from nlp_service.core.label_moves import (
    MERGE,
    RENAME,
    LabelMove,
    change_taxonomy,
    check,
    mapping,
    rename,
    rename_taxonomy,
)
from nlp_service.core.labelling import LabelConfidence
from nlp_service.core.labels import abstain
from nlp_service.core.provisional import ProvisionalIntent, fit, revise, widen
from nlp_service.errors import Conflict, InputError, NotFound
from tests.bundles import ROOT
from tests.examples import labelling

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SIZE, KNOWN = 24, 6


def draw(centre: int, count: int, seed: int) -> np.ndarray:
    """Unit vectors around one of SIZE directions."""
    random = np.random.default_rng(seed)
    vectors = np.eye(SIZE)[centre] + 0.18 * random.standard_normal((count, SIZE))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def known() -> tuple[np.ndarray, list[str]]:
    vectors = np.concatenate([draw(place, 60, place) for place in range(KNOWN)])
    return vectors, [f"intent_{place}" for place in range(KNOWN) for _ in range(60)]


def intent(name: str = "gift_wrap") -> ProvisionalIntent:
    return ProvisionalIntent(
        id=name,
        names={"zh": "礼品包装", "en": "Gift wrap"},
        group="promotion",
        department="presales",
        examples=("能包成礼物吗",),
        created_at=NOW,
        created_by="wang",
    )


def move(kind: str, old: str, new: str) -> LabelMove:
    return LabelMove(kind=kind, old=old, new=new, why="", moved_at=NOW, moved_by="wang")


def test_ten_examples_are_recognised_and_the_others_keep_theirs() -> None:
    head = fit({"gift_wrap": draw(10, 10, 100)}, *known())
    own = head.probabilities(draw(10, 200, 101))[:, 0]
    others = head.probabilities(np.concatenate([draw(place, 200, 200 + place) for place in range(KNOWN)]))[:, 0]
    assert (own >= 0.5).mean() > 0.8
    assert (others >= 0.5).mean() < 0.01


def test_two_new_intents_are_told_apart() -> None:
    head = fit({"one": draw(10, 10, 1), "two": draw(11, 10, 2)}, *known())
    assert head.probabilities(draw(10, 100, 3)).argmax(1).mean() < 0.05
    assert head.probabilities(draw(11, 100, 4)).argmax(1).mean() > 0.95


def test_a_revised_answer_says_that_it_is_provisional_and_goes_to_a_person() -> None:
    head = fit({"gift_wrap": draw(10, 10, 1)}, *known())
    before = [labelling("a").labels, labelling("b").labels]
    vectors = np.stack([draw(10, 1, 7)[0], draw(0, 1, 8)[0]])
    first, second = revise(before, vectors, head)
    assert (first.intent.label, first.provisional) == ("gift_wrap", True)
    assert first.alternatives[0] == before[0].intent
    assert second == before[1]
    language = labelling().language
    reasons = abstain(first, language, words=True, threshold=0.1, scope_threshold=0.9)
    assert reasons == ("provisional_intent",)


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(InputError, match="7 examples, at least 8"):
        fit({"gift_wrap": draw(10, 7, 1)}, *known())
    with pytest.raises(InputError, match="at least 100"):
        fit({"gift_wrap": draw(10, 8, 1)}, draw(0, 20, 1), ["intent_0"] * 20)


def test_a_wider_taxonomy_keeps_the_columns(taxonomy: Taxonomy) -> None:
    wider = widen(taxonomy, [intent()])
    assert list(wider.intents)[: len(taxonomy.intents)] == list(taxonomy.intents)
    assert wider.intents["gift_wrap"].department == "presales"
    assert wider.name("gift_wrap", "en") == "Gift wrap"


def test_an_intent_that_is_gone_is_still_shown(taxonomy: Taxonomy) -> None:
    gone = taxonomy.intent("gift_wrap")
    assert gone.id == "gift_wrap"
    assert gone.department in taxonomy.departments


def test_a_chain_of_moves_leads_to_its_end_and_back() -> None:
    moves = [move(RENAME, "a", "b"), move(RENAME, "b", "c"), move(MERGE, "x", "c")]
    assert mapping(moves) == {"a": "c", "b": "c", "x": "c"}
    assert mapping([move(RENAME, "a", "b"), move(RENAME, "b", "a")]) == {"b": "a"}


def test_merged_intents_add_up() -> None:
    labels = replace(
        labelling().labels,
        intent=LabelConfidence(label="a", confidence=0.5),
        alternatives=(LabelConfidence(label="b", confidence=0.25), LabelConfidence(label="c", confidence=0.1)),
    )
    said = rename(labels, {"b": "a"})
    assert said.intent == LabelConfidence(label="a", confidence=0.75)
    assert [item.label for item in said.alternatives] == ["c"]
    assert rename(labels, {"z": "y"}) is labels


def test_moves_that_cannot_be_are_refused() -> None:
    with pytest.raises(NotFound):
        check(move(RENAME, "a", "b"), {"c"})
    with pytest.raises(Conflict):
        check(move(RENAME, "a", "c"), {"a", "c"})
    with pytest.raises(Conflict):
        check(move(MERGE, "a", "d"), {"a", "c"})


def test_the_next_models_taxonomy_has_moves_and_new_intents(taxonomy: Taxonomy) -> None:
    raw = yaml.safe_load((ROOT / "corpora" / "taxonomy.yaml").read_text(encoding="utf-8"))
    names = {"order_placement": "order_status", "praise": "compliment"}
    changed = parse_taxonomy(change_taxonomy(raw, names, [intent()]))
    assert set(changed.intents) == (set(taxonomy.intents) - {"order_placement", "praise"}) | {"compliment", "gift_wrap"}
    assert changed.intents["order_status"].group == "order"
    live = rename_taxonomy(taxonomy, names)
    assert live.intents["compliment"].group == taxonomy.intents["praise"].group
    assert list(live.intents)[: len(taxonomy.intents)] == list(taxonomy.intents)
