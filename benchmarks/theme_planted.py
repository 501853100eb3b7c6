"""Twelve complaints planted into eight weeks of real messages: found, counted, dated, judged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.complaints import COMPLAINTS, DAYS, FIXED_ON, START_DEFECT, Complaint
from benchmarks.theme_sets import embed, stream_texts
from nlp_service.adapters.segmentation import Segmentation
from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.stored import LabelledMessage, Window
from nlp_service.core.themes import lifecycle
from nlp_service.core.themes.changes import decline, onset
from nlp_service.core.themes.feedback import Feedback, counting
from nlp_service.core.themes.mining import Mined, Setting, mine
from nlp_service.core.themes.name import Segment
from nlp_service.core.themes.standing import Before
from nlp_service.core.themes.values import Theme
from nlp_service.ports import Model

START = datetime(2026, 1, 4, 16, 0, tzinfo=UTC)  # midnight of a Monday at UTC+8
REGIONS = ("华东", "华南", "华北", "西南", "东北")
WEEKS = (3, 4, 5, 6, 7, 8)


@dataclass(frozen=True)
class Drawn:
    messages: list[LabelledMessage]
    embeddings: FloatArray
    truth: list[str | None]  # key of the complaint


@dataclass(frozen=True)
class Stage:
    """A real background and the complaints' wordings, embedded; each seed draws another stream of them."""

    identity: ModelIdentity
    background: list[str]
    pool: FloatArray  # (n, d) of the background
    said: dict[str, FloatArray]  # wording -> (d,)
    segment: Segment
    per_day: int

    @classmethod
    def open(cls, model: Model, corpora: Path, cache: Path, *, per_day: int) -> Stage:
        said_too = re.compile("|".join(f"(?:{complaint.own})" for complaint in COMPLAINTS))
        background = stream_texts(corpora)  # three quarters are enough: the rest of the stream is planted
        background = [text for text in background if not said_too.search(text)][: int(0.75 * per_day * DAYS)]
        wordings = [wording for complaint in COMPLAINTS for wording in complaint.wordings]
        said = dict(zip(wordings, embed(model, wordings, cache), strict=True))
        segment = Segmentation.load().words
        return cls(model.identity, background, embed(model, background, cache), said, segment, per_day)

    def story(self, seed: int) -> dict[str, bool]:
        """Return what held of one draw with all twelve complaints."""
        stream = draw(self.background, self.pool, self.said, COMPLAINTS, seed=seed, per_day=self.per_day)
        return story(stream, self.identity, self.segment)

    def alarms(self, seed: int) -> dict[str, int]:
        """Count rising alerts of a stream in which nothing changes, over its last two weeks."""
        same = [entry for entry in COMPLAINTS if not entry.copies and entry.fixed_on is None and entry.key != "leak"]
        stream = draw(self.background, self.pool, self.said, same, seed=1000 + seed, per_day=self.per_day)
        runs = weekly(stream, self.identity, self.segment, weeks=(6, 7, 8))
        rises = [change for mined in runs[1:] for change in mined.changes if change.kind == "rising"]
        return {"messages": len(stream.messages), "false_alarms": len(rises)}


def draw(
    background: list[str],
    pool: FloatArray,
    said: dict[str, FloatArray],
    complaints: tuple[Complaint, ...] | list[Complaint],
    *,
    seed: int,
    per_day: int,
) -> Drawn:
    """Draw a stream in ascending time; background texts come once each."""
    random = np.random.default_rng(seed)
    left = iter(random.permutation(len(background)))
    messages, rows, truth = [], [], []
    for day in range(DAYS):
        shares = np.array([entry.share(day) for entry in complaints])
        for second in np.sort(random.integers(0, 86_400, random.poisson(per_day))):
            which = int(np.searchsorted(np.cumsum(shares), random.random()))
            at = START + timedelta(days=day, seconds=int(second))
            if which < len(complaints):
                complaint = complaints[which]
                text = str(random.choice(complaint.wordings))
                at, region = _when(complaint, at, day, random), _where(complaint, random)
                rows.append(said[text])
                truth.append(complaint.key)
            else:
                number = next(left, None)
                if number is None:
                    continue
                text, region = background[number], str(random.choice(REGIONS))
                rows.append(pool[number])
                truth.append(None)
            messages.append(message(len(messages), at, text, region, random))
    return Drawn(messages, np.stack(rows), truth)


def weekly(stream: Drawn, model: ModelIdentity, segment: Segment, *, weeks: tuple[int, ...] = WEEKS) -> list[Mined]:
    """Mine at the end of each week, told by people that two complaints are fixed when they are."""
    before, runs = Before(), []
    for week in weeks:
        end = START + timedelta(days=7 * week)
        seen = [i for i, message in enumerate(stream.messages) if message.occurred_at < end]
        setting = Setting(
            window=Window(start=end - timedelta(days=7), end=end),
            model=model,
            routes={"product_usage": "tech_support"},
            scope_threshold=2.0,
            run_id=f"week {week}",
        )
        mined = mine([stream.messages[i] for i in seen], stream.embeddings[seen], before, setting, segment)
        themes = mined.themes
        if week * 7 >= FIXED_ON and runs and week * 7 - 7 < FIXED_ON:
            crash = theme_of(mined, stream, "crash")
            fixed, _ = lifecycle.fix(crash, by="dev", at=START + timedelta(days=FIXED_ON))
            themes = tuple(fixed if theme.id == crash.id else theme for theme in themes)
        members = {member.message_id: member.theme_id for member in mined.members}
        before = Before(themes=themes, anchors=mined.anchors, members=members, space=mined.space)
        runs.append(mined)
    return runs


def story(stream: Drawn, model: ModelIdentity, segment: Segment) -> dict[str, bool]:
    """Return what held of one draw."""
    runs = weekly(stream, model, segment)
    last = runs[-1]
    held: dict[str, bool] = {}
    for complaint in COMPLAINTS:
        if complaint.copies:
            continue
        theme = theme_of(last, stream, complaint.key)
        recall, precision = quality(last, stream, complaint.key, theme.id)
        held[f"{complaint.key} found"] = recall >= 0.5 and precision >= 0.5
        share = sum(complaint.share(day) for day in range(DAYS - 7, DAYS)) / 7
        seen = theme.measure
        held[f"{complaint.key} share"] = seen is not None and seen.share.low <= share <= seen.share.high
    held["courier in 华南"] = any(
        split.value == "华南" for run in runs for split in _splits(theme_of(run, stream, "courier"))
    )
    hours = [split for run in runs for split in _splits(theme_of(run, stream, "hotline"))]
    held["hotline on Friday evening"] = any(
        split.dimension == "hour_of_week" and split.value.startswith("Fri 18:00") for split in hours
    )
    held["defect dated"] = _near(_series(last, stream, "leak", "rise"), START_DEFECT)
    held["fix dated"] = _near(_series(last, stream, "crash", "fall"), FIXED_ON)
    crash = theme_of(last, stream, "crash")
    held["fix worked"] = crash.fix is not None and crash.fix.verdict == "worked"
    held["return noticed"] = any(
        change.kind in ("recurred", "rising", "new") and change.theme_id == theme_of(last, stream, "parts").id
        for run in runs[3:]
        for change in run.changes
    )
    held["flood not counted"] = _flood_share(runs[1], stream) < 0.01
    return held


def theme_of(mined: Mined, stream: Drawn, key: str) -> Theme:
    """Return the theme that most messages of a complaint are in, the first theme where there is none."""
    own = {message.message_id for message, truth in zip(stream.messages, stream.truth, strict=True) if truth == key}
    counted: dict[str, int] = {}
    for member in mined.members:
        if member.message_id in own:
            counted[member.theme_id] = counted.get(member.theme_id, 0) + 1
    best = max(counted, key=lambda entry: counted[entry], default=mined.themes[0].id)
    return next(theme for theme in mined.themes if theme.id == best)


def quality(mined: Mined, stream: Drawn, key: str, theme_id: str) -> tuple[float, float]:
    """Return recall and precision of a theme as the complaint, over the last week."""
    own = {
        message.message_id
        for message, truth in zip(stream.messages, stream.truth, strict=True)
        if truth == key and message.occurred_at >= mined.window.start
    }
    inside = {
        member.message_id
        for member in mined.members
        if member.theme_id == theme_id and member.occurred_at >= mined.window.start
    }
    return len(own & inside) / max(len(own), 1), len(own & inside) / max(len(inside), 1)


def _splits(theme: Theme) -> tuple[Any, ...]:
    return theme.measure.splits if theme.measure else ()


def _series(mined: Mined, stream: Drawn, key: str, direction: str) -> int | None:
    """Date a change from the theme's own daily counts."""
    owner = {member.message_id: member.theme_id for member in mined.members}
    theme = theme_of(mined, stream, key).id
    feedback = Feedback.of(stream.messages)
    themes = np.array([0 if owner.get(message.message_id) == theme else -1 for message in feedback.messages])
    counted = counting(feedback, themes)
    days = feedback.days(START)
    counts = np.bincount(days[counted & (themes == 0)], minlength=DAYS)
    totals = np.bincount(days[counted], minlength=DAYS)
    return onset(counts, totals) if direction == "rise" else decline(counts, totals)


def _near(day: int | None, truth: int) -> bool:
    return day is not None and abs(day - truth) <= 3


def _flood_share(mined: Mined, stream: Drawn) -> float:
    theme = theme_of(mined, stream, "flood")
    return theme.measure.share.value if theme.measure and "微信" in theme.title else 0.0


def _when(complaint: Complaint, at: datetime, day: int, random: np.random.Generator) -> datetime:
    if complaint.hours is None or random.random() > 0.6:
        return at
    weekday, first, last = complaint.hours
    monday = START + timedelta(days=day - day % 7)
    return monday + timedelta(days=weekday, hours=float(random.uniform(first, last)))


def _where(complaint: Complaint, random: np.random.Generator) -> str:
    if complaint.region is not None and random.random() < 0.8:
        return complaint.region
    return str(random.choice(REGIONS))


def message(number: int, at: datetime, text: str, region: str, random: np.random.Generator) -> LabelledMessage:
    return LabelledMessage(
        message_id=f"m-{number:07d}",
        occurred_at=at,
        text=text,
        text_hash=text,
        channel="app",
        customer_id=f"c-{int(random.integers(10**9))}",
        customer_tier=None,
        product=None,
        region=region,
        language="zh",
        intent="product_usage",
        intent_confidence=0.9,
        sentiment="negative",
        sentiment_score=-0.5,
        emotion="disappointment",
        flags=(),
        priority="normal",
        department="tech_support",
        needs_human=False,
        out_of_scope=0.0,
    )
