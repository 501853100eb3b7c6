"""Names that a product manager understands: a title that says the matter, key phrases, typical quotes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from nlp_service.core.labelling import FloatArray
from nlp_service.core.themes.phrases import grams, is_content, key_phrases, spoken
from nlp_service.core.themes.stopwords import CLAUSE_END, LEADING_FILLERS, NEGATIONS, PLACEHOLDER, TRAILING_FILLERS
from nlp_service.core.themes.values import Name, Quote

Segment = Callable[[str, str], list[str]]  # text, language -> words in order

READ = 300  # central messages of a theme that its name is taken from
QUOTES = 3
_DOMINANT = 0.8  # share of one language from which a theme is not mixed
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One message of a theme, as its name is taken from."""

    message_id: str
    text: str  # masked
    language: str
    similarity: float  # to the theme
    embedding: FloatArray


def name_themes(themes: Sequence[Sequence[Voice]], segment: Segment, *, default_language: str = "zh") -> list[Name]:
    """Name themes against each other; each is given by its messages, most central first."""
    languages = [_language(voices, default_language) for voices in themes]
    heard = [
        [voice for voice in voices if voice.language == language][:READ] or list(voices[:READ])
        for voices, language in zip(themes, languages, strict=True)
    ]
    words = [[segment(PLACEHOLDER.sub(" ", voice.text), voice.language) for voice in voices] for voices in heard]
    phrases = key_phrases(words)
    return [
        Name(
            title=_title(voices, tokens, weighted, segment) or _fallback(weighted, voices),
            phrases=tuple(phrase for phrase, _ in weighted),
            quotes=typical_quotes(voices),
            language=language,
        )
        for voices, tokens, weighted, language in zip(heard, words, phrases, languages, strict=True)
    ]


def typical_quotes(voices: Sequence[Voice], count: int = QUOTES) -> tuple[Quote, ...]:
    """Return central messages that are unlike one another: maximal marginal relevance (Carbonell, Goldstein 1998)."""
    distinct = list({_bare(voice.text): voice for voice in reversed(voices[:READ]) if len(voice.text) > 3}.values())[
        ::-1
    ]
    fit = [voice for voice in distinct if 6 <= len(voice.text) <= 160] or distinct
    pool = fit[: max(count, len(fit) // 2)]
    chosen: list[Voice] = []
    while pool and len(chosen) < count:
        scores = [
            voice.similarity - max((float(voice.embedding @ other.embedding) for other in chosen), default=0.0)
            for voice in pool
        ]
        chosen.append(pool.pop(int(np.argmax(scores))))
    return tuple(Quote(message_id=voice.message_id, text=voice.text) for voice in chosen)


def clean_clause(clause: str) -> str:
    """Cut what people put around a matter."""
    previous = None
    while previous != clause:
        previous = clause
        clause = TRAILING_FILLERS.sub("", LEADING_FILLERS.sub("", clause.strip(" 　:：-—*#'’[]"))).strip()
    return clause


def _language(voices: Sequence[Voice], default: str) -> str:
    counted = Counter(voice.language for voice in voices)
    if not counted:
        return default
    language, n = counted.most_common(1)[0]
    return language if n >= _DOMINANT * len(voices) or default not in counted else default


def _title(
    voices: Sequence[Voice], tokens: Sequence[Sequence[str]], weighted: Sequence[tuple[str, float]], segment: Segment
) -> str:
    """Return the clause of a central message that says most of the key phrases in few characters.

    A word weighs what the key phrases with it weigh; a clause is worth the words it holds, a little more where many
    messages have its pairs of words, and less for each character beyond what a heading bears.
    """
    value: Counter[str] = Counter()
    for phrase, weight in weighted:
        for word in dict.fromkeys(segment(phrase, voices[0].language)):
            value[word] += weight if is_content(word) or word in NEGATIONS else 0.0  # type: ignore[assignment]
    whole = sum(value.values()) or 1.0
    common: Counter[tuple[str, ...]] = Counter()
    for message in tokens:
        common.update({gram for gram in grams(message) if len(gram) == 2})
    best, title = 0.0, ""
    seen: set[str] = set()
    for voice in voices[: max(20, len(voices) // 2)]:
        for clause in _clauses(voice.text):
            if clause in seen:
                continue
            seen.add(clause)
            words = segment(clause, voice.language)
            covered = sum(value[word] for word in set(words)) / whole
            pairs = sum(common[gram] for gram in set(grams(words)) if len(gram) == 2) / max(len(tokens), 1)
            worth = (covered + 0.25 * min(pairs, 1.0)) * _brevity(clause) * (0.6 + 0.4 * max(voice.similarity, 0.0))
            if worth > best + 1e-9:
                best, title = worth, clause
    return title


def _clauses(text: str) -> list[str]:
    found = []
    for part in CLAUSE_END.split(PLACEHOLDER.sub("，", text)):
        clause = clean_clause(part)
        width = _width(clause)
        if 3 <= width <= 30 and any(char.isalpha() for char in clause):
            found.append(clause)
    return found


def _width(clause: str) -> float:
    """Length in Chinese characters; three Latin letters take the room of one."""
    wide = len(_WIDE.findall(clause))
    return wide + (len(clause) - wide) / 3


def _brevity(clause: str) -> float:
    width = _width(clause)
    if width < 4:
        return 0.7
    return 1.0 if width <= 10 else max(0.25, 1.0 - 0.06 * (width - 10))


def _fallback(weighted: Sequence[tuple[str, float]], voices: Sequence[Voice]) -> str:
    if weighted:
        return spoken([phrase for phrase, _ in weighted[:1]])
    return voices[0].text[:20] if voices else ""


def _bare(text: str) -> str:
    return "".join(char for char in text if char.isalnum())
