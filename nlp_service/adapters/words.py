"""Where the words of a text are: Chinese by jieba's dictionary, other scripts by their letters."""

from __future__ import annotations

import re

_RUN = re.compile(
    r"(?P<han>[\u3400-\u9fff\U00020000-\U0003ffff]+)"
    r"|(?P<short>[\u3040-\u30ff\u0e00-\u0e7f]{1,4})"  # kana and Thai are written without spaces: pieces of four
    r"|(?P<word>[^\W_]+(?:['’-][^\W_]+)*)"
    r"|(?P<mark>[^\w\s]+)"
)


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of each word or run of marks, in order, never overlapping."""
    spans: list[tuple[int, int]] = []
    for run in _RUN.finditer(text):
        if run.lastgroup != "han":
            spans.append(run.span())
            continue
        start = run.start()
        for word in _cut(run.group()):
            spans.append((start, start + len(word)))
            start += len(word)
    return spans


def _cut(text: str) -> list[str]:
    import rjieba  # its dictionary takes 30 MB and a quarter of a second: only who asks for an explanation pays

    words: list[str] = rjieba.cut(text)
    return words
