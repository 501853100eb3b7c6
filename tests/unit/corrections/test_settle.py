"""What counts where several people label one message."""

from __future__ import annotations

import pytest

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.corrections.check import check_labels
from nlp_service.core.corrections.precision import Judgement, precision
from nlp_service.core.corrections.settle import agreement, may_resolve, settle
from nlp_service.core.corrections.values import CorrectedLabels, Correction
from nlp_service.errors import Conflict, InvalidMessage
from nlp_service.testing import START


def said(*voices: tuple[str, str], message: str = "m", resolves: str | None = None) -> list[Correction]:
    """Return one correction a (person, intent), in order; ``resolves`` names the person who decides."""
    return [
        Correction(
            id=number,
            message_id=message,
            by=by,
            at=START,
            labels=CorrectedLabels(intent=intent),
            resolves=by == resolves,
        )
        for number, (by, intent) in enumerate(voices)
    ]


@pytest.mark.parametrize(
    ("voices", "resolves", "state", "label"),
    [
        ([("a", "x")], None, "single", "x"),
        ([("a", "x"), ("b", "x")], None, "agreed", "x"),
        ([("a", "x"), ("b", "y")], None, "disputed", None),
        ([("a", "x"), ("b", "y"), ("a", "y")], None, "agreed", "y"),  # a changed their mind
        ([("a", "x"), ("b", "y"), ("c", "y")], None, "majority", "y"),
        ([("a", "x"), ("b", "y"), ("c", "z")], None, "disputed", None),
        ([("a", "x"), ("b", "y"), ("c", "z")], "c", "resolved", "z"),
        ([("a", "x"), ("b", "x"), ("c", "y"), ("d", "y")], None, "disputed", None),
        ([("a", "x"), ("b", "y"), ("c", "x"), ("b", "y")], "c", "resolved", "x"),  # said again, it stays decided
    ],
)
def test_what_counts(voices: list[tuple[str, str]], resolves: str | None, state: str, label: str | None) -> None:
    outcome = settle(said(*voices, resolves=resolves)).fields["intent"]
    assert (outcome.state, outcome.label) == (state, label)


def test_disputed_fields_teach_nothing_and_others_do() -> None:
    first = Correction(id=1, message_id="m", by="a", at=START, labels=CorrectedLabels(intent="x", flags=("f", "g")))
    second = Correction(id=2, message_id="m", by="b", at=START, labels=CorrectedLabels(intent="y", flags=("g", "f")))
    settled = settle([second, first])
    assert settled.disputed == ("intent",)
    assert settled.labels == CorrectedLabels(flags=("f", "g"))
    assert settled.people == ("a", "b")


def test_only_a_third_person_resolves_and_only_a_disagreement() -> None:
    before = said(("a", "x"), ("b", "y"))
    (third,) = said(("c", "x"))
    may_resolve(before, third)
    (party,) = said(("b", "x"))
    with pytest.raises(Conflict, match="third person"):
        may_resolve(before, party)
    with pytest.raises(Conflict, match="nobody disagrees"):
        may_resolve(said(("a", "x"), ("b", "x")), third)
    with pytest.raises(Conflict, match="nobody disagrees"):
        may_resolve([], third)


def test_agreement_by_hand() -> None:
    """Four messages, two people, three of them alike: alpha is 1 - 7 * 2 / (2 * 4 * 4 - ...) by the textbook."""
    settled = [
        settle(said(("a", one), ("b", other), message=f"m{number}"))
        for number, (one, other) in enumerate([("x", "x"), ("x", "x"), ("y", "y"), ("x", "y")])
    ]
    found = agreement([*settled, settle(said(("a", "x"), message="alone"))])
    assert (found.messages, found.share) == (4, 0.75)
    # observed 2/8; expected 1 - (5*4 + 3*2)/(8*7): Krippendorff's coincidences of 5 x and 3 y
    assert found.alpha == pytest.approx(1 - (2 / 8) / (1 - 26 / 56))
    assert agreement([]).share is None


def test_labels_are_held_against_the_taxonomy(taxonomy: Taxonomy) -> None:
    check_labels(CorrectedLabels(intent="refund_status", flags=(), sentiment="very_negative"), taxonomy)
    with pytest.raises(InvalidMessage, match="did you mean 'refund_status'"):
        check_labels(CorrectedLabels(intent="refund-stauts"), taxonomy)
    with pytest.raises(InvalidMessage, match="did you mean 'invoice'"):
        check_labels(CorrectedLabels(intent="发票"), taxonomy)
    with pytest.raises(InvalidMessage, match="choose from urgent, normal, low"):
        check_labels(CorrectedLabels(priority="???"), taxonomy)
    with pytest.raises(InvalidMessage, match="no label"):
        check_labels(CorrectedLabels(), taxonomy)


def test_precision_counts_by_the_label_that_the_model_gave() -> None:
    judged = [
        Judgement(text_hash="1", said={"intent": "x"}, right=CorrectedLabels(intent="x")),
        Judgement(text_hash="2", said={"intent": "x"}, right=CorrectedLabels(intent="y")),
        Judgement(text_hash="3", said={"intent": "y"}, right=CorrectedLabels(sentiment="neutral")),
    ]
    (found,) = precision(judged)
    assert (found.head, found.label, found.judged, found.right, dict(found.instead)) == ("intent", "x", 2, 1, {"y": 1})
    assert found.precision.low < 0.5 < found.precision.high
    assert [entry.judged for entry in precision(judged, texts={"1"})] == [1]
