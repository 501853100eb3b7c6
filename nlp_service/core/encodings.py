"""Which encoding a text file is in, decided from its bytes; said to be unknown rather than read wrongly."""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LEAST_PLAUSIBLE = 0.75  # share of characters that are common in the script
LEAST_LEAD = 0.05  # over the second best
_MAX_CHARACTERS = 20_000
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True, kw_only=True)
class Decision:
    encoding: str | None  # a Python codec; None where nothing fits well enough
    why: str


def decide_encoding(sample: bytes, *, broken_utf8_lines: int, lines: int) -> Decision:
    """Decide from a sample rich in non-ASCII lines and from how many lines of the whole file are not UTF-8."""
    for mark, name in _BOMS:
        if sample.startswith(mark):
            return Decision(encoding=name, why="byte-order mark")
    if broken_utf8_lines == 0:
        return Decision(encoding="utf-8", why="every line is valid UTF-8")
    if _looks_utf8(sample):
        return Decision(encoding="utf-8", why=f"UTF-8 but for {broken_utf8_lines} of {lines} lines, which are rejected")
    rows = [line for line in sample.splitlines() if not line.isascii()]
    ranked = sorted(((_plausible(rows, name, rate), name) for name, rate in _CANDIDATES), reverse=True)
    (best, name), (second, other) = ranked[0], ranked[1]
    shown = ", ".join(f"{candidate} {score:.2f}" for score, candidate in ranked)
    if best < LEAST_PLAUSIBLE or best - second < LEAST_LEAD:
        return Decision(encoding=None, why=f"not UTF-8, and neither {name} nor {other} is plausible enough ({shown})")
    return Decision(encoding=name, why=f"not UTF-8; most plausible of {shown}")


def _looks_utf8(sample: bytes) -> bool:
    """Tell whether most non-ASCII lines are valid UTF-8."""
    rows = [line for line in sample.splitlines() if not line.isascii()]
    return sum(_decodes(line, "utf-8") for line in rows) >= 0.5 * len(rows) > 0


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _plausible(rows: Sequence[bytes], encoding: str, rate: Callable[[str], float]) -> float:
    """Share of lines that decode, times how common their non-ASCII characters are."""
    decoded: list[str] = []
    failed = 0
    for row in rows:
        try:
            decoded.append(row.decode(encoding))
        except UnicodeDecodeError:
            failed += 1
    whole = "\n".join(decoded)[: 4 * _MAX_CHARACTERS]
    if whole.isascii():
        return 0.0
    return rate(whole) * (1 - failed / len(rows))


_PUNCTUATION = "，。、；：？！…—·「」『』《》〈〉【】（）“”‘’￥％～　"


def _simplified(whole: str) -> float:
    """Share in the first level of GB 2312 (the 3,755 most common characters) or its punctuation."""
    return _share(whole, "gb2312", lambda lead: 0xB0 <= lead <= 0xD7 or lead in {0xA1, 0xA3})


def _traditional(whole: str) -> float:
    """Share in the first level of Big5 (5,401 common characters) or its punctuation."""
    return _share(whole, "big5", lambda lead: 0xA1 <= lead <= 0xC6)


def _foreign(whole: str) -> str:
    """Return the non-ASCII characters."""
    return "".join(char for char in whole if not char.isascii())[:_MAX_CHARACTERS]


def _share(whole: str, charset: str, common: Callable[[int], bool]) -> float:
    text = _foreign(whole)
    found = 0
    for char in text:
        if char in _PUNCTUATION:
            found += 1
            continue
        try:
            found += common(char.encode(charset)[0])
        except UnicodeEncodeError:
            continue
    return found / len(text)


_KANA = re.compile("[\u3041-\u30ff]")
_KANJI = re.compile("[\u4e00-\u9fff\u3000-\u303f\uff01-\uff5e]")
_HANGUL = re.compile("[\uac00-\ud7a3]")
_EVERYDAY_HANGUL = re.compile("[이다는가을를의에하고지도은니요어아안해주기한그로서리자시나사인있없습세게면라만거제]")
_LATIN = re.compile("[àâäáãåæçèéêëìíîïñòóôõöøœùúûüýÿßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØŒÙÚÛÜÝ¿¡«»“”‘’–—…€£°]")
_LATIN_RUN = re.compile("[À-ÿ]{3}")
_CYRILLIC = re.compile("[а-яёА-ЯЁ]")
_CYRILLIC_LOWER = re.compile("[а-яё]")
_ASCII_LETTER = re.compile("[a-zA-Z]")


def _japanese(whole: str) -> float:
    text = _foreign(whole)
    kana = len(_KANA.findall(text))
    return (kana + len(_KANJI.findall(text))) / len(text) if kana >= 0.2 * len(text) else 0.0


def _korean(whole: str) -> float:
    """Share of Hangul, a little more than all where its everyday syllables are there.

    Common Chinese read as EUC-KR is Hangul too, and the other way round; only the frequencies tell them apart.
    """
    text = _foreign(whole)
    if len(_EVERYDAY_HANGUL.findall(text)) < 0.25 * len(text):
        return 0.0
    return 1.2 * len(_HANGUL.findall(text)) / len(text)


def _latin(whole: str) -> float:
    # A double-byte text or Cyrillic read as Latin has long runs of accented letters.
    text = _foreign(whole)
    return len(_LATIN.findall(text)) / len(text) if not _LATIN_RUN.search(whole) else 0.0


def _russian(whole: str) -> float:
    text = _foreign(whole)
    lower, latin = len(_CYRILLIC_LOWER.findall(text)), len(_ASCII_LETTER.findall(whole))
    likely = lower >= 0.7 * len(text) and latin <= 2 * len(text)
    return len(_CYRILLIC.findall(text)) / len(text) if likely else 0.0


_CANDIDATES: tuple[tuple[str, Callable[[str], float]], ...] = (
    ("gb18030", _simplified),
    ("big5", _traditional),
    ("shift_jis", _japanese),
    ("euc_jp", _japanese),
    ("euc_kr", _korean),
    ("cp1252", _latin),
    ("cp1251", _russian),
)
