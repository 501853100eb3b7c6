"""Which of people's judgements may be counted as a random sample.

People mostly judge what the queue shows for its difficulty; shares and precision measured on that would be wrong. The
queue therefore also offers messages in a fixed random order, that of their text hashes. Where nearly all texts up to a
place in that order have been judged, whatever for, those up to there are a random sample of all.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

COMPLETE = 0.9  # share of the texts up to a place that must be judged; the rest came late or were passed over
LEAST = 30  # judged texts without which nothing is measured


def most_drawn(judged: int) -> int:
    """Return how many of the first texts in random order need be known to find the sample."""
    return int(judged / COMPLETE) + 1


def random_sample(texts: Iterable[str], judged: Collection[str]) -> frozenset[str]:
    """Return the judged texts that are a random sample of all; empty where they are too few.

    Args:
        texts: hashes of all texts, or of the first ``most_drawn`` of them in ascending order; any order, repeats count
            once.
        judged: hashes of those that people judged.
    """
    wanted = frozenset(judged)
    kept: list[str] = []
    best = 0
    for place, text in enumerate(sorted(set(texts)), 1):
        if text not in wanted:
            continue
        kept.append(text)
        if len(kept) >= COMPLETE * place:
            best = len(kept)
    return frozenset(kept[:best]) if best >= LEAST else frozenset()
