"""A run of mining tells the planted story: what is said, how often, since when, where, and whether a fix helped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pytest

from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.stored import Window
from nlp_service.core.themes import lifecycle
from nlp_service.core.themes.mining import Mined, Setting, mine
from nlp_service.core.themes.standing import Before
from nlp_service.core.themes.values import Theme
from tests.streams import Planted, Stream, draw

START = datetime(2026, 1, 5, tzinfo=UTC)
MODEL = ModelIdentity(name="feedback", version="1.0.0")
ROUTES = {"product_usage": "tech_support", "delivery_delay": "logistics", "product_info": "presales"}
MANUAL = Planted(
    wordings=("说明书看不懂", "这个说明书写得看不懂啊", "说明书太难看不懂", "看不懂说明书怎么装"), share=lambda _: 0.15
)
SLOW = Planted(
    wordings=("快递一直不动", "快递还没送到一直不动", "我的快递怎么一直不动"),
    share=lambda day: 0.03 if day < 35 else 0.12,
    intent="delivery_delay",
    region="华南",
)
FLOOD = Planted(
    wordings=("转发这条消息领取优惠大礼包名额有限",), share=lambda day: 0.2 if day >= 49 else 0.0, copies=True
)


def segment(text: str, _language: str) -> list[str]:
    import rjieba

    return [word for word in rjieba.cut(text) if not word.isspace()]


def run(stream: Stream, end: datetime, before: Before | None = None, model: ModelIdentity = MODEL) -> Mined:
    seen = [i for i, message in enumerate(stream.messages) if message.occurred_at < end]
    window = Window(start=end - timedelta(days=7), end=end)
    setting = Setting(
        window=window, model=model, routes=ROUTES, scope_threshold=0.9, run_id=f"{model.version} {end.isoformat()}"
    )
    messages = [stream.messages[i] for i in seen]
    return mine(messages, stream.embeddings[seen], before or Before(), setting, segment)


def after(mined: Mined) -> Before:
    return Before(
        themes=mined.themes,
        anchors=mined.anchors,
        members={member.message_id: member.theme_id for member in mined.members},
        space=mined.space,
    )


def theme_of(mined: Mined, stream: Stream, planted: int) -> Theme:
    """Return the theme that most messages of a planted one are in."""
    own = {message.message_id for message, truth in zip(stream.messages, stream.truth, strict=True) if truth == planted}
    counts: dict[str, int] = {}
    for member in mined.members:
        if member.message_id in own:
            counts[member.theme_id] = counts.get(member.theme_id, 0) + 1
    best = max(counts, key=lambda key: counts[key])
    return next(theme for theme in mined.themes if theme.id == best)


@pytest.fixture(scope="module")
def stream() -> Stream:
    return draw([MANUAL, SLOW, FLOOD], start=START, days=56, per_day=80, seed=3)


@pytest.fixture(scope="module")
def weeks(stream: Stream) -> list[Mined]:
    runs: list[Mined] = []
    for week in (6, 7, 8):
        runs.append(run(stream, START + timedelta(days=7 * week), after(runs[-1]) if runs else None))
    return runs


def test_a_planted_complaint_is_found_named_and_counted(stream: Stream, weeks: Sequence[Mined]) -> None:
    theme = theme_of(weeks[0], stream, 0)

    assert theme.measure is not None
    assert "说明书" in theme.title
    assert "看不懂" in theme.title
    assert theme.measure.share.low <= 0.15 <= theme.measure.share.high
    assert theme.departments[0] == "product_team"
    assert len(theme.name.quotes) == 3


def test_a_rise_is_told_dated_and_placed(stream: Stream, weeks: Sequence[Mined]) -> None:
    theme = theme_of(weeks[0], stream, 1)

    assert theme.measure is not None
    assert theme.measure.growth is not None
    assert theme.measure.growth.rising
    assert theme.measure.onset is not None
    assert abs((theme.measure.onset - (START + timedelta(days=35))).days) <= 3
    assert any(split.dimension == "region" and split.value == "华南" for split in theme.measure.splits)
    steady = theme_of(weeks[0], stream, 0)
    assert steady.measure is not None
    assert steady.measure.growth is None or not steady.measure.growth.rising


def test_a_copied_text_counts_once_and_is_shown(stream: Stream, weeks: Sequence[Mined]) -> None:
    flooded = {m.message_id for m, truth in zip(stream.messages, stream.truth, strict=True) if truth == 2}
    for theme in weeks[2].themes:
        assert theme.measure is not None
        if any(flood.text.startswith("转发这条") for flood in theme.measure.floods):
            assert theme.measure.counted < theme.measure.messages - 20
    assert len(flooded) > 60
    shares = [theme.measure.share.value for theme in weeks[2].themes if theme.measure and "转发" in theme.title]
    assert all(share < 0.02 for share in shares)


def test_identities_stay_from_week_to_week(weeks: Sequence[Mined]) -> None:
    for earlier, later in pairwise(weeks):
        heard = {theme.id for theme in earlier.themes if theme.measure and theme.measure.counted >= 5}
        still = {theme.id for theme in later.themes if theme.measure and theme.measure.counted >= 3}
        assert len(heard & still) >= 0.9 * len(heard)
        assert len(later.changes) <= 6


def test_identities_stay_under_a_new_model(stream: Stream, weeks: Sequence[Mined]) -> None:
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((64, 64)))[0].astype(np.float32)
    turned = replace(stream, embeddings=stream.embeddings @ turn)
    last = weeks[2]
    before = replace(after(last), anchors=(), space=None)

    again = run(turned, START + timedelta(days=56), before, ModelIdentity(name="feedback", version="2.0.0"))

    old = {member.message_id: member.theme_id for member in last.members}
    same = [old[m.message_id] == m.theme_id for m in again.members if m.message_id in old]
    assert np.mean(same) >= 0.85


def test_a_fix_is_judged_and_its_return_noticed() -> None:
    def share(day: int) -> float:
        return 0.15 if day < 28 or day >= 49 else 0.01

    planted = replace(MANUAL, share=share)
    stream = draw([planted], start=START, days=70, per_day=80, seed=5)
    first = run(stream, START + timedelta(days=28))
    theme = theme_of(first, stream, 0)
    fixed, _ = lifecycle.fix(theme, by="wang", at=START + timedelta(days=28), what="新版说明书")
    before = after(replace(first, themes=tuple(fixed if t.id == theme.id else t for t in first.themes)))

    kinds: list[str] = []
    for week in (5, 6, 7, 8):
        mined = run(stream, START + timedelta(days=7 * week), before)
        kinds += [change.kind for change in mined.changes if change.theme_id == theme.id]
        before = after(mined)

    assert kinds == ["fix_worked", "recurred"]


def test_an_unchanged_stream_raises_no_alarm() -> None:
    planted = [MANUAL, replace(SLOW, share=lambda _: 0.05)]
    stream = draw(planted, start=START, days=63, per_day=60, seed=8)
    runs = [run(stream, START + timedelta(days=42))]
    for week in (7, 8, 9):
        runs.append(run(stream, START + timedelta(days=7 * week), after(runs[-1])))

    assert [change for mined in runs[1:] for change in mined.changes if change.kind == "rising"] == []


def test_nothing_in_nothing_out() -> None:
    mined = run(draw([], start=START, days=0, per_day=0), START + timedelta(days=7))
    assert mined.themes == ()
    assert mined.members == ()


def test_identities_stay_under_a_new_model_that_has_read_nothing_old(stream: Stream, weeks: Sequence[Mined]) -> None:
    """History was not labelled again: the new model reads a few messages of each old theme."""
    turn = np.linalg.qr(np.random.default_rng(2).standard_normal((64, 64)))[0].astype(np.float32)
    last = weeks[1]
    row_of = {message.message_id: row for row, message in enumerate(stream.messages)}
    rows: dict[str, list[int]] = {}
    for member in last.members:
        rows.setdefault(member.theme_id, []).append(row_of[member.message_id])
    echoes = {theme: stream.embeddings[entry[-20:]] @ turn for theme, entry in rows.items()}
    new = [row for row, message in enumerate(stream.messages) if message.occurred_at >= START + timedelta(days=49)]
    fresh = replace(
        stream, messages=[stream.messages[row] for row in new], embeddings=(stream.embeddings @ turn)[new], truth=[]
    )

    before = replace(after(last), anchors=(), space=None, echoes=echoes)
    again = run(fresh, START + timedelta(days=56), before, ModelIdentity(name="feedback", version="2.0.0"))

    heard = {theme.id for theme in last.themes if theme.measure and theme.measure.counted >= 5}
    still = {theme.id for theme in again.themes if theme.measure and theme.measure.counted >= 3}
    assert len(heard & still) >= 0.85 * len(heard)
    assert theme_of(last, stream, 0).id == theme_of(again, stream, 0).id
