"""The tutorial as a newcomer runs it: its blocks in order, with the accepted bundle; what is planted is found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.documents import ROOT, run_document

pytestmark = [
    pytest.mark.skipif(not (ROOT / "models" / "accepted.json").is_file(), reason="no trained bundle in models"),
    pytest.mark.timeout(1500),  # half a minute on two free cores
]
PLANTED = re.compile(r"planted ([\d.]+)% of the feedback; found ([\d.]+)% \(([\d.]+)% to ([\d.]+)%\)")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tutorial")
    run_document(ROOT / "docs" / "tutorial.md", folder, seconds=1400)
    return folder


@pytest.fixture(scope="module")
def matters(folder: Path) -> list[str]:
    text = (folder / "found.txt").read_text(encoding="utf-8")
    return re.split(r"(?m)^\d\. ", text.split("\nlargest themes")[0])[1:]


def test_every_planted_matter_has_themes_of_its_own(matters: list[str]) -> None:
    assert [matter.splitlines()[0][:3] for matter in matters] == ["说明书", "西南的", "电饭煲", "扫地机"]
    for matter in matters:
        assert "no theme of its own" not in matter, matter
        found = re.search(r"(\d+)% of its messages are in its themes, (\d+)% of theirs", matter)
        assert found, matter
        assert int(found[1]) >= 50, matter
        assert int(found[2]) >= 50, matter


def test_the_manual_has_its_share(matters: list[str]) -> None:
    found = PLANTED.search(matters[0])
    assert found
    planted, measured = float(found[1]), float(found[2])
    assert 11 <= planted <= 20
    assert abs(planted - measured) <= 5


def test_the_courier_stands_out_in_its_region(matters: list[str]) -> None:
    assert "stands out: region 西南" in matters[1]


def test_the_batch_appears_when_it_is_sold(matters: list[str]) -> None:
    told = re.findall(r"(\d{4}-\d\d-\d\d) (?:new|rising)", matters[2])
    first = re.findall(r"(\d{4}-\d\d-\d\d) (?:new|rising)", matters[0])
    assert told
    assert min(told) > min(first)


def test_the_fix_is_seen_to_work(matters: list[str]) -> None:
    assert "fix: worked" in matters[3]
    assert "fix_worked" in matters[3]


def test_the_team_was_told(folder: Path) -> None:
    received = (folder / "received.txt").read_text(encoding="utf-8").splitlines()
    assert any("acknowledged" in line and "说明书" in line for line in received)
