"""Key phrases of themes: class-based TF-IDF (Grootendorst 2022) on words and on words that really follow each other."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

from nlp_service.core.themes.stopwords import NEGATIONS, STOPWORDS

LONGEST = 4  # words in a phrase
SHOWN = 8
_SUBSUMED = 0.6  # a part that stands mostly inside the longer phrase is not shown beside it

Words = Sequence[str]


def key_phrases(themes: Sequence[Sequence[Words]], *, shown: int = SHOWN) -> list[list[tuple[str, float]]]:
    """Return each theme's phrases with their weights, greatest first.

    Args:
        themes: per theme the words of its messages, in order, marks included.
        shown: phrases per theme at most.

    A phrase counts once a message. Its weight is its share of the theme's messages times
    log(1 + mean phrases a theme / its count over all themes), as c-TF-IDF has it, and grows with its length.
    """
    counts = [_counted(messages) for messages in themes]
    total: Counter[tuple[str, ...]] = Counter()
    for counted in counts:
        total.update(counted)
    mean = sum(total.values()) / max(len(themes), 1)
    return [_best(counted, total, mean, len(messages), shown) for counted, messages in zip(counts, themes, strict=True)]


def is_content(word: str) -> bool:
    """Tell whether a word can say something about a matter."""
    return word not in STOPWORDS and any(char.isalpha() for char in word)


def grams(words: Words) -> Iterator[tuple[str, ...]]:
    """Yield the phrases of a message: up to LONGEST words in a row, no mark between, of content at both ends.

    A negation may begin or end a phrase, since it turns its meaning (看 不 清楚).
    """
    for start, first in enumerate(words):
        if not (is_content(first) or first in NEGATIONS):
            continue
        for end in range(start + 1, min(start + LONGEST, len(words)) + 1):
            last = words[end - 1]
            if not any(char.isalnum() for char in last):
                break
            phrase = tuple(words[start:end])
            if (is_content(last) or last in NEGATIONS) and any(is_content(word) for word in phrase):
                yield phrase


def spoken(phrase: Words) -> str:
    """Join words as they are written: Latin words with spaces, others without."""
    text = ""
    for word in phrase:
        glued = not text or not ((text[-1].isascii() and text[-1].isalnum()) or _spaced(text[-1]))
        text += word if glued or not (word[0].isalnum()) or _han(word[0]) else f" {word}"
    return text


def _han(char: str) -> bool:
    return "\u3040" <= char <= "\u9fff"


def _spaced(char: str) -> bool:
    """Scripts that put spaces between words and are not ASCII."""
    return char.isalpha() and not _han(char) and not "\u0e00" <= char <= "\u0e7f"


def _counted(messages: Sequence[Words]) -> Counter[tuple[str, ...]]:
    counted: Counter[tuple[str, ...]] = Counter()
    for words in messages:
        counted.update(set(grams(words)))
    return counted


def _best(
    counted: Counter[tuple[str, ...]], total: Counter[tuple[str, ...]], mean: float, messages: int, shown: int
) -> list[tuple[str, float]]:
    least = 2 if messages < 50 else max(2, messages // 50)
    weights = {
        phrase: (n / messages) * math.log1p(mean / total[phrase]) * (1 + 0.4 * (len(phrase) - 1))
        for phrase, n in counted.items()
        if n >= least and not (len(phrase) == 1 and phrase[0] in NEGATIONS)
    }
    ranked = sorted(weights, key=lambda phrase: (-weights[phrase], phrase))
    chosen: list[tuple[str, ...]] = []
    for phrase in ranked:
        if len(chosen) == shown:
            break
        subsumed = any(
            _inside(phrase, other) and counted[other] >= _SUBSUMED * counted[phrase] for other in ranked[:60]
        )
        if not subsumed and not any(_overlaps(phrase, other) for other in chosen):
            chosen.append(phrase)
    return [(spoken(phrase), weights[phrase]) for phrase in chosen]


def _inside(part: tuple[str, ...], whole: tuple[str, ...]) -> bool:
    size = len(part)
    return size < len(whole) and any(whole[i : i + size] == part for i in range(len(whole) - size + 1))


def _overlaps(phrase: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Tell whether two phrases are mostly the same words."""
    shared = len(set(phrase) & set(other))
    return shared * 2 > min(len(phrase), len(other)) and (len(phrase) > 1 or len(other) > 1)
