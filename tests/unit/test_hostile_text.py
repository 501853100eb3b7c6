"""Text from strangers goes through every pure step: nothing raises, nothing runs, nothing makes a line of its own."""

from __future__ import annotations

import ast
import json
import re
import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nlp_service.adapters.logs import escape_lines
from nlp_service.adapters.segmentation import Segmentation
from nlp_service.contract.encode import MAX_TOKENS, SegmentTokenizer
from nlp_service.contract.text import normalise
from nlp_service.core.privacy import find_pii, mask
from nlp_service.core.themes.name import Voice, name_themes
from nlp_service.core.themes.rendering import as_html, as_markdown
from tests.bundles import make_tokenizer

ROOT = Path(__file__).resolve().parents[2]
BITS = st.sampled_from(
    [
        "<script>alert(1)</script>", "</title><img src=x onerror=alert(1)>", "javascript:alert(1)", "{{7*7}}",
        "${jndi:x}", "=HYPERLINK(1)", "@SUM(1)", "\u202e", "\u200b", "\ufeff", "\x00", "\ud800", "\r\n", "\x1b[31m",
        "\u2028", "'; DROP TABLE x", "%s%n", "../../etc/passwd", "[x](javascript:a)", "😡", "👨\u200d👩\u200d👧", "ﷺ",
        "\u0301" * 30, "快递", "13800138000", "ａ１", "🇨🇳",
    ]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=80), st.lists(BITS | st.text(max_size=6), max_size=12).map("".join))


@given(TEXTS)
def test_normalising_twice_changes_nothing_more_and_leaves_no_control(text: str) -> None:
    once = normalise(text)
    assert normalise(once) == once
    assert not [char for char in once if unicodedata.category(char) in {"Cc", "Cs", "Co"}]
    assert once == once.strip()


@given(TEXTS, TEXTS)
def test_tokenising_keeps_within_the_window(text: str, before: str) -> None:
    tokenizer = SegmentTokenizer(make_tokenizer())
    [reading] = tokenizer.read([(normalise(text), normalise(before))])
    inputs = tokenizer.collate(reading.windows)
    assert inputs.input_ids.shape == inputs.attention_mask.shape == inputs.token_type_ids.shape
    assert inputs.input_ids.shape[1] <= MAX_TOKENS
    assert set(np.unique(inputs.attention_mask)) <= {0, 1}


@given(TEXTS)
def test_masking_leaves_what_is_around_as_it_was(text: str) -> None:
    spans = find_pii(text)
    masked = mask(text, spans)
    position = 0
    for piece in _around(text, [(span.start, span.end) for span in spans]):
        found = masked.find(piece, position)
        assert found >= 0
        position = found + len(piece)


@settings(max_examples=25)
@given(st.lists(TEXTS, min_size=1, max_size=12))
def test_a_theme_of_any_texts_gets_a_name_on_one_line(texts: list[str]) -> None:
    voices = [
        Voice(
            message_id=f"m-{number}", text=mask(text, find_pii(text)), language="zh", similarity=0.9, embedding=VECTOR
        )
        for number, text in enumerate(texts)
    ]
    [name] = name_themes([voices], SEGMENTATION.words)
    assert isinstance(name.title, str)
    assert len(name.title) <= 200
    assert not set(name.title) & set("\r\n")


@given(TEXTS, TEXTS)
def test_what_customers_say_is_only_text_in_a_digest(title: str, quote: str) -> None:
    page = _Tags()
    page.feed(as_html(_digest(title, quote)))
    assert page.tags <= {"html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "article", "ul", "li",
                         "blockquote", "svg", "polyline"}  # fmt: skip
    assert not [name for name in page.attributes if name.startswith("on")]
    markdown = as_markdown(_digest(title, quote))
    assert not re.search(r"<[A-Za-z/!]", markdown)
    assert not re.search(r"(?<!\\)\]\(", markdown)


@given(st.dictionaries(st.sampled_from(["event", "path", "detail", "logger"]), TEXTS))
def test_no_field_of_a_log_makes_a_line_of_its_own(event: dict[str, str]) -> None:
    written = escape_lines(None, "info", dict(event))
    assert all(len(str(value).splitlines()) <= 1 for value in written.values())
    assert not re.search("[\x00-\x1f\x7f]", "".join(written.values()))


def test_a_trace_in_a_log_is_indented() -> None:
    written = escape_lines(None, "error", {"exception": "Traceback:\nValueError: a\n2026 [info] forged\r"})
    assert all(line.startswith("    ") for line in written["exception"].split("\n"))
    assert "\r" not in written["exception"]


@pytest.mark.parametrize("writer", ["csv.writer", "csv.DictWriter", "to_csv", "Workbook(", "to_excel"])
def test_nothing_is_exported_as_a_table_that_a_spreadsheet_would_run(writer: str) -> None:
    """Exports are JSON and Parquet, which no program reads as formulas. Whoever adds another form escapes = + - @."""
    found = [path for path in (ROOT / "nlp_service").rglob("*.py") if writer in path.read_text("utf-8")]
    assert found == []


def test_no_module_unpickles() -> None:
    """Bundles are ONNX, JSON and arrays; nothing that runs code when it is read.

    Ray's own way between the processes of one job is the exception: what they exchange is never a file of somebody's.
    """
    banned = {"pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    between_processes = ROOT / "nlp_service" / "adapters" / "ray.py"
    for folder in ("nlp_service", "training"):
        for path in (ROOT / folder).rglob("*.py"):
            if path == between_processes:
                continue
            tree = ast.parse(path.read_text("utf-8"))
            for node in ast.walk(tree):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not {name.partition(".")[0] for name in names} & banned, path
                if isinstance(node, ast.keyword) and node.arg in {"allow_pickle", "weights_only"}:
                    assert isinstance(node.value, ast.Constant)
                    assert node.value.value is (node.arg == "weights_only"), path


SEGMENTATION = Segmentation.load()
VECTOR = np.full(4, 0.5, dtype=np.float32)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}


def _around(text: str, spans: list[tuple[int, int]]) -> list[str]:
    edges = [0, *(edge for span in spans for edge in span), len(text)]
    return [text[edges[index] : edges[index + 1]] for index in range(0, len(edges), 2)]


def _digest(title: str, quote: str) -> dict[str, object]:
    entry = {
        "title": title, "customers": 3, "share": None, "growth": None, "fix": None, "stands_out": [], "series": [1, 2],
        "daily": [], "copies": [{"text": quote, "messages": 2}], "quotes": [quote],
    }  # fmt: skip
    return json.loads(json.dumps(
        {"from": "2026-03-02", "to": "2026-03-09", "top": [entry], "movers": [], "new": [], "fixed": [entry]}
    ))  # fmt: skip
