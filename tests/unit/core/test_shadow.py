"""A shadow sees the same share of messages everywhere; its comparison counts agreement and moves."""

from __future__ import annotations

from nlp_service.core.shadow import compare, differs, opinion, sees
from tests.examples import labelling


def test_the_share_is_kept_and_always_the_same_messages() -> None:
    names = [f"message-{number}" for number in range(5000)]
    seen = [name for name in names if sees(name, 0.1)]
    assert 400 < len(seen) < 600
    assert seen == [name for name in names if sees(name, 0.1)]
    assert set(seen) <= {name for name in names if sees(name, 0.3)}
    assert all(sees(name, 1.0) for name in names)


def test_the_comparison_counts_by_head() -> None:
    one, other = opinion(labelling()), opinion(labelling(intent="praise", priority="low"))
    assert differs(one, other)
    assert not differs(one, one)
    found = compare([(one, one), (one, other)])
    assert found["messages"] == 2
    assert found["agreement"]["intent"] == 0.5
    assert found["agreement"]["sentiment"] == 1.0
    assert found["moves"]["intent"] == [{"sent": "product_usage", "shadow": "praise", "messages": 1}]
    assert compare([])["agreement"]["intent"] == 0.0
