"""What language a text is written in: scripts and telling letters first, a statistical model for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from nlp_service.core.labelling import Language
from nlp_service.core.language_words import EVERYWHERE, GREETINGS, INDONESIAN, MALAY, PINYIN, PINYIN_ALONE

Rank = Callable[[str, tuple[str, ...]], Sequence[tuple[str, float]]]
"""rank(text, among) -> (code, probability) best first, over the languages asked about."""

UNDETERMINED = "und"
DEFAULTED = 0.5  # confidence of the hub's own language, taken where the text shows none
SAMPLE = 2000  # characters that are looked at; a language shows in fewer

LATIN_NEIGHBOURS = ("it", "nl", "pl", "tr", "ms", "tl", "ro", "sv", "da", "no", "fi", "cs", "hu", "ca", "hr")
CYRILLIC_NEIGHBOURS = ("uk", "be", "bg", "sr", "mk", "kk", "mn", "ky", "tg", "tt")
ARABIC_NEIGHBOURS = ("fa", "ur", "ps", "ug")
DEVANAGARI_NEIGHBOURS = ("hi", "mr", "ne")
NEIGHBOURS = (*LATIN_NEIGHBOURS, *CYRILLIC_NEIGHBOURS, *ARABIC_NEIGHBOURS, *DEVANAGARI_NEIGHBOURS)

_RANGES: Mapping[str, str] = {
    "Han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "Kana": "\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff",
    "Hang": "\uac00-\ud7a3\u1100-\u11ff\u3131-\u318e",
    "Thai": "\u0e01-\u0e3a\u0e40-\u0e4e",
    "Cyrl": "\u0400-\u052f",
    "Arab": "\u0620-\u064a\u0660-\u06ef\u06fa-\u06ff\u0750-\u077f",
    "Latn": "A-Za-z\u00aa\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff",
    "Hebr": "\u05d0-\u05ea",
    "Grek": "\u0370-\u03ff\u1f00-\u1fff",
    "Deva": "\u0900-\u097f",
    "Beng": "\u0980-\u09ff",
    "Guru": "\u0a00-\u0a7f",
    "Gujr": "\u0a80-\u0aff",
    "Taml": "\u0b80-\u0bff",
    "Telu": "\u0c00-\u0c7f",
    "Knda": "\u0c80-\u0cff",
    "Mlym": "\u0d00-\u0d7f",
    "Sinh": "\u0d80-\u0dff",
    "Laoo": "\u0e80-\u0eff",
    "Tibt": "\u0f00-\u0fff",
    "Mymr": "\u1000-\u109f",
    "Geor": "\u10a0-\u10ff",
    "Ethi": "\u1200-\u137f",
    "Khmr": "\u1780-\u17ff",
    "Mong": "\u1800-\u18af",
    "Armn": "\u0530-\u058f",
}
_LETTERS = {script: re.compile(f"[{span}]") for script, span in _RANGES.items()}
_ANY_LETTER = re.compile("[" + "".join(_RANGES.values()) + "]")
_ONE_LANGUAGE = {
    "Hang": "ko", "Thai": "th", "Hebr": "he", "Grek": "el", "Beng": "bn", "Guru": "pa", "Gujr": "gu", "Taml": "ta",
    "Telu": "te", "Knda": "kn", "Mlym": "ml", "Sinh": "si", "Laoo": "lo", "Tibt": "bo", "Mymr": "my", "Geor": "ka",
    "Ethi": "am", "Khmr": "km", "Mong": "mn", "Armn": "hy",
}  # fmt: skip
_SCRIPT_OF = {"zh": "Hans", "ja": "Jpan", "ko": "Kore", "th": "Thai", "ru": "Cyrl", "ar": "Arab"}

# A neighbour that the model does not serve must be this much likelier than the best one that it does; measured on
# multilingual_dev and MASSIVE: 2 keeps 99% of what is served and still names 9 of 10 others.
_UNSERVED_ODDS = 2.0
_LEAST_PROBABILITY = 0.45  # of one or two words; below, they could be anything: a brand, a name
_SHORT = 2  # words
_LEAST_SYLLABLES = 3  # of romanised Chinese, such as "wo yao tui kuan"

# A Chinese character or syllable says as much as two or three Latin letters.
_WEIGHT = {"Han": 2.5, "Kana": 2.0, "Hang": 2.5}
_LEAST_SHARE = 0.25  # of the weighted letters, for a script to decide beside Latin product names

# What says nothing about the language: links, addresses, handles, codes with digits, marks such as #E-s12 or [电话x].
_NOISE = re.compile(
    r"https?://\S+|www\.\S+|\S{1,64}@[\w.-]+\.\w+|@\w+|#E-s\S{0,4}|&[a-z]{2,6};"
    r"|(?<![A-Za-z])[A-Za-z]{1,6}[-_]?\d[A-Za-z0-9_-]*|\d[A-Za-z0-9_-]*"
)
_TOKEN = re.compile("[^\\W\\d_]+(?:['’][^\\W\\d_]+)*")

# Kana that Chinese writers use alone: in shop names, and as limbs and faces of kaomoji.
_BORROWED_KANA = re.compile("[のノヾツっつシヽミヘゞメャ]")
_JAPANESE_KANJI = frozenset(
    "込払売円図対応済価変検権関駅歳気発総険続様処黙戻帰働営単厳拠両囲圧隠栄塩桜仮亜壱窓専戦銭荘騒臓蔵択沢弾遅鋳庁徴"
    "転鉄稲闘徳読悩拝廃髪抜辺舗訳薬揺謡頼県団"
)
_JAPANESE_WORDS = re.compile("返品|領収|注文|配達|問合|返金|在庫|発送|送料|請求書|番号|株式会社|希望します")

_TELLING: Mapping[str, tuple[tuple[str, re.Pattern[str]], ...]] = {
    "Cyrl": (
        ("be", re.compile("[ўЎ]|(?=.*[іІ])[ыэЫЭ]", re.DOTALL)),
        ("uk", re.compile("[іїєґІЇЄҐ]")),
        ("sr", re.compile("[ђћџљњјЂЋЏЉЊЈ]")),
        ("kk", re.compile("[әғқңұһӘҒҚҢҰҺ]")),
        ("mn", re.compile("[өүӨҮ]")),
        ("ru", re.compile("[ыэёЫЭЁ]")),  # of the languages left, no other has these
    ),
    "Arab": (
        ("ur", re.compile("[ٹڈڑںےھہ]")),
        ("ug", re.compile("[ۇۆۈۋې]")),
        ("ps", re.compile("[ټډړښځڅڼ]")),
        ("fa", re.compile("[پچژگکی]")),
    ),
    "Latn": (("vi", re.compile("[ăđơưĂĐƠƯ\u1ea0-\u1ef9]")),),
}


@dataclass(frozen=True, kw_only=True)
class Served:
    """Which languages the model knows, and what to take for a text that shows none."""

    codes: tuple[str, ...]
    default: str | None = None  # the hub's own language; None: unclear stays unclear


def identify(text: str, served: Served, rank: Rank) -> Language:
    """Return the language of a normalised text; ``und`` where nothing tells and the hub has no default."""
    sample = _NOISE.sub(" ", text[:SAMPLE])
    letters = _ANY_LETTER.findall(sample)
    if not letters:
        return _unclear("Zyyy", served)
    counts = {script: len(found) for script, pattern in _LETTERS.items() if (found := pattern.findall(sample))}
    script, share = _main_script(counts)
    if script in {"Han", "Kana"}:
        return _east_asian(sample, counts, share, served)
    if script in _ONE_LANGUAGE:
        return _language(_ONE_LANGUAGE[script], script, share, served)
    for code, telling in _TELLING.get(script, ()):
        if len(telling.findall(sample)) >= max(1, 0.02 * counts[script]):
            return _language(code, script, 0.97 * share, served)
    return _statistical(sample, script, served, rank)


def unclear(language: Language) -> bool:
    """Tell whether the text itself showed no language."""
    return language.code == UNDETERMINED or language.confidence == DEFAULTED


def _main_script(counts: Mapping[str, int]) -> tuple[str, float]:
    """Return the script that decides and its share of the weighted letters."""
    weighted = {script: count * _WEIGHT.get(script, 1.0) for script, count in counts.items()}
    total = sum(weighted.values())
    east = weighted.get("Han", 0.0) + weighted.get("Kana", 0.0)
    others = {script: value for script, value in weighted.items() if script not in {"Han", "Kana", "Latn"}}
    best = max(others, key=lambda script: others[script], default="Latn")
    if others and others[best] >= max(_LEAST_SHARE * total, east):
        return best, others[best] / total
    if east >= _LEAST_SHARE * total:
        return "Han", east / total
    return "Latn", weighted.get("Latn", 0.0) / total


def _east_asian(text: str, counts: Mapping[str, int], share: float, served: Served) -> Language:
    """Tell Japanese from Chinese, and simplified from traditional characters."""
    han, kana = counts.get("Han", 0), counts.get("Kana", 0)
    proper = kana - len(_BORROWED_KANA.findall(text))
    if (proper and kana >= 0.15 * (han + kana)) or (kana and not han):
        return _language("ja", "Jpan", share, served)
    simplified, traditional = _variants(text)
    if not kana and not simplified and (_JAPANESE_WORDS.search(text) or not _JAPANESE_KANJI.isdisjoint(text)):
        japanese = sum(char in _JAPANESE_KANJI for char in text)
        if japanese >= traditional or _JAPANESE_WORDS.search(text):
            return _language("ja", "Jpan", 0.8 * share, served)
    script = "Hant" if traditional > simplified else "Hans"
    return _language("zh", script, share, served)


def _variants(text: str) -> tuple[int, int]:
    """Count characters that only simplified and only traditional texts use."""
    seen = [_variant(char) for char in text if char > "\u2e7f"]
    return seen.count("Hans"), seen.count("Hant")


@cache
def _variant(char: str) -> str | None:
    """Return the script of one character: GB 2312 holds the simplified ones, Big5 the traditional ones."""
    mainland, taiwan = _encodable(char, "gb2312"), _encodable(char, "big5")
    if mainland == taiwan or not _LETTERS["Han"].match(char):
        return None
    return "Hans" if mainland else "Hant"


def _encodable(char: str, codec: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _statistical(text: str, script: str, served: Served, rank: Rank) -> Language:
    neighbours = {
        "Latn": LATIN_NEIGHBOURS,
        "Cyrl": CYRILLIC_NEIGHBOURS,
        "Arab": ARABIC_NEIGHBOURS,
        "Deva": DEVANAGARI_NEIGHBOURS,
    }.get(script)
    if neighbours is None:
        return _unclear(script, served)
    words = _TOKEN.findall(text.casefold() if text.isupper() else text)
    if script == "Latn":
        told = _by_words([word.casefold() for word in words], served)
        if told is not None:
            return told
    mine = tuple(code for code in served.codes if _SCRIPT_OF.get(code, "Latn") == script)
    ranked = rank(" ".join(words), tuple(dict.fromkeys((*mine, *neighbours))))
    code, probability = _preferring(ranked, served)
    if script == "Latn" and len(words) <= _SHORT and probability < _LEAST_PROBABILITY:
        return _unclear(script, served)
    return _language(code, script, probability, served)


def _by_words(words: list[str], served: Served) -> Language | None:
    """Decide by words that tell; few letters without any are unclear."""
    if (
        len(words) >= _LEAST_SYLLABLES
        and all(PINYIN.fullmatch(word) for word in words)
        and any(PINYIN_ALONE.search(word) for word in words)
    ):
        return _language("zh", "Latn", 0.8, served)
    greeted = {GREETINGS[word] for word in words if word in GREETINGS}
    if len(words) <= 2 * _SHORT and len(greeted) == 1:
        return _language(greeted.pop(), "Latn", 0.9, served)
    if sum(map(len, words)) < 4 or (len(words) <= _SHORT and all(word in EVERYWHERE for word in words)):
        return _unclear("Latn", served)
    malay, indonesian = (sum(word in telling for word in words) for telling in (MALAY, INDONESIAN))
    if malay != indonesian and malay + indonesian >= max(1, 0.15 * len(words)):
        return _language("ms" if malay > indonesian else "id", "Latn", 0.85, served)
    return None


def _preferring(ranked: Sequence[tuple[str, float]], served: Served) -> tuple[str, float]:
    """Return the best, or the best that is served where an unserved one is hardly likelier."""
    best = ranked[0]
    if best[0] in served.codes:
        return best
    mine = next((item for item in ranked if item[0] in served.codes), None)
    return mine if mine is not None and best[1] < _UNSERVED_ODDS * mine[1] else best


def _language(code: str, script: str, confidence: float, served: Served) -> Language:
    return Language(code=code, script=script, confidence=round(min(confidence, 1.0), 4), supported=code in served.codes)


def _unclear(script: str, served: Served) -> Language:
    """Return the hub's own language where it has one; a text that shows none needs no person for that."""
    if served.default is None:
        return Language(code=UNDETERMINED, script=script, confidence=0.0, supported=False)
    own = _SCRIPT_OF.get(served.default, "Latn")
    return Language(code=served.default, script=own, confidence=DEFAULTED, supported=served.default in served.codes)
