"""One run of mining: from labelled messages and the themes known so far to themes, members, numbers and changes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from nlp_service.core.delivery.events import theme_departments
from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.stored import LabelledMessage, Window
from nlp_service.core.themes import lifecycle
from nlp_service.core.themes.assign import Anchors, assign
from nlp_service.core.themes.discover import Cluster, Discovery, Options, discover
from nlp_service.core.themes.feedback import Bools, Feedback, bare, carries_matter, copies, counting
from nlp_service.core.themes.fix import fix_effect
from nlp_service.core.themes.judged import judge
from nlp_service.core.themes.match import Found, Known, Matching, match
from nlp_service.core.themes.measure import Judged, daily, measure
from nlp_service.core.themes.name import Segment, Voice, name_themes
from nlp_service.core.themes.neighbours import IntArray
from nlp_service.core.themes.space import Space, unit
from nlp_service.core.themes.standing import Before, Standing, resolve, stand
from nlp_service.core.themes.values import Anchor, Change, FixEffect, Name, Part, SubTheme, Theme, theme_id

LEAST_CUSTOMERS = 3  # a matter of fewer people is theirs, not a theme
LEAST_NEW = 5  # counted messages in the window without which a new theme waits for another run
_TOUCHED = 0.15  # share from which a theme touches an intent
_MEMBERS_NAMED = 400  # central messages that names are taken from


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What a run is told."""

    window: Window  # the span that is reported
    discovery: timedelta = timedelta(days=28)  # up to the window's end: the messages that themes are found among
    model: ModelIdentity
    routes: Mapping[str, str]  # intent -> department
    scope_threshold: float
    run_id: str
    options: Options = field(default_factory=Options)


@dataclass(frozen=True, kw_only=True)
class Member:
    message_id: str
    theme_id: str
    similarity: float
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class Mined:
    """What a run found; all of it is stored in one transaction."""

    run_id: str
    model: ModelIdentity
    window: Window
    space: Space
    themes: tuple[Theme, ...]  # every theme that the run touched, as it is now
    anchors: tuple[Anchor, ...]
    members: tuple[Member, ...]  # of all messages read
    changes: tuple[Change, ...]
    messages: int  # read
    matter: int  # that carry a matter
    outliers: Mapping[str, int]  # reason -> messages of the discovery span in no theme


def mine(
    messages: Sequence[LabelledMessage], embeddings: FloatArray, before: Before, setting: Setting, segment: Segment
) -> Mined:
    """Run once.

    Args:
        messages: n messages of the window and of the past.
        embeddings: float32 (n, d), unit norm, of the setting's model.
        before: the themes so far.
        setting: window, model and sizes.
        segment: cuts text into words.
    """
    order = sorted(range(len(messages)), key=lambda row: (messages[row].occurred_at, messages[row].message_id))
    kept = [row for row in order if carries_matter(messages[row], scope_threshold=setting.scope_threshold)]
    feedback = Feedback.of(messages[row] for row in kept)
    placed_rows = np.asarray(embeddings, dtype=np.float32)[kept]
    recent = feedback.inside(setting.window.end - max(setting.discovery, _length(setting.window)), setting.window.end)
    texts = _texts(feedback, recent)
    first = [rows[0] for rows in texts]
    space = before.space or (Space.of(placed_rows[first]) if texts else None)
    standing = Standing()
    if space is not None:
        standing = stand(before, feedback, placed_rows, space, setting.model)
    stood = standing.of_texts(feedback, placed_rows, space, texts) if space is not None else None
    found, members = _discover(feedback, placed_rows, texts, space, stood, setting)
    names = name_themes([_voices(feedback, placed_rows, entry) for entry in members], segment)
    matching = _match(before, standing, _held(standing, stood, feedback, texts), found, members, names, feedback)
    draft = _Draft(before, standing, setting, found, members, names, matching, feedback, placed_rows, texts, segment)
    return draft.finish(len(messages))


def _length(window: Window) -> timedelta:
    return window.end - window.start


def _texts(feedback: Feedback, recent: Bools) -> list[list[int]]:
    """Return the rows of each distinct text of the discovery span."""
    by_text: dict[str, list[int]] = defaultdict(list)
    for row in np.flatnonzero(recent).tolist():
        message = feedback.messages[row]
        by_text[bare(message.text) or message.text_hash].append(row)
    return list(by_text.values())


def _discover(
    feedback: Feedback,
    embeddings: FloatArray,
    texts: Sequence[Sequence[int]],
    space: Space | None,
    stood: IntArray | None,
    setting: Setting,
) -> tuple[Discovery, list[list[int]]]:
    """Discover among distinct texts; return the clusters that enough customers speak of and their message rows."""
    copied = {row for rows in copies(feedback).values() for row in rows}
    weights = np.array([1 if rows[0] in copied else len(rows) for rows in texts], dtype=np.float32)
    first = [rows[0] for rows in texts]
    found = discover(embeddings[first], weights=weights, options=setting.options, space=space, standing=stood)
    clusters, members, lonely = [], [], []
    for cluster in found.clusters:
        rows = [row for text in cluster.members.tolist() for row in texts[text]]
        if _speakers(feedback, rows) >= LEAST_CUSTOMERS:
            clusters.append(cluster)
            members.append(rows)
        else:
            lonely.append(cluster.members)
    outliers = dict(found.outliers)
    if lonely:
        outliers["too_few_customers"] = np.concatenate(lonely)
    counted = {
        reason: np.array([row for text in rows.tolist() for row in texts[text]]) for reason, rows in outliers.items()
    }
    return replace(found, clusters=tuple(clusters), outliers=counted), members


def _speakers(feedback: Feedback, rows: Sequence[int]) -> int:
    known = {feedback.messages[row].customer_id for row in rows}
    unknown = sum(feedback.messages[row].customer_id is None for row in rows)
    return len(known - {None}) + unknown


def _voices(feedback: Feedback, embeddings: FloatArray, rows: Sequence[int]) -> list[Voice]:
    """Return the messages of a theme that its name is taken from, most central first, each text once."""
    centre = unit(embeddings[list(rows)].mean(axis=0, keepdims=True))[0]
    seen: dict[str, Voice] = {}
    for row in rows:
        message = feedback.messages[row]
        key = bare(message.text)
        if key not in seen:
            seen[key] = Voice(
                message_id=message.message_id,
                text=message.text,
                language=message.language,
                similarity=float(embeddings[row] @ centre),
                embedding=embeddings[row],
            )
    return sorted(seen.values(), key=lambda voice: (-voice.similarity, voice.message_id))[:_MEMBERS_NAMED]


def _held(
    standing: Standing, stood: IntArray | None, feedback: Feedback, texts: Sequence[Sequence[int]]
) -> dict[str, frozenset[str]]:
    """Return the messages of the discovery span that each standing theme held until now, new ones by its anchor."""
    keys = sorted(standing.anchors)
    of_theme: dict[str, list[str]] = defaultdict(list)
    for rows, theme in zip(texts, [] if stood is None else stood.tolist(), strict=stood is not None):
        if theme >= 0:
            of_theme[keys[theme]] += [feedback.messages[row].message_id for row in rows]
    return {theme: frozenset(messages) for theme, messages in of_theme.items()}


def _match(
    before: Before,
    standing: Standing,
    held: Mapping[str, frozenset[str]],
    found: Discovery,
    members: Sequence[Sequence[int]],
    names: Sequence[Name],
    feedback: Feedback,
) -> Matching:
    anchors = standing.anchors
    known = [
        Known(
            id=theme.id,
            members=held.get(theme.id, frozenset()),
            centroid=anchors[theme.id].centroid if theme.id in anchors else None,
            phrases=frozenset(theme.name.phrases),
            kept=theme.pinned or theme.parent is not None or theme.named_by is not None,
        )
        for theme in before.themes
        if theme.merged_into is None
    ]
    groups = [
        Found(
            members=frozenset(feedback.messages[row].message_id for row in rows),
            centroid=cluster.centroid,
            phrases=frozenset(name.phrases),
        )
        for cluster, rows, name in zip(found.clusters, members, names, strict=True)
    ]
    return match(known, groups)


class _Draft:
    """The themes of a run in the making."""

    def __init__(
        self,
        before: Before,
        standing: Standing,
        setting: Setting,
        found: Discovery,
        rows: Sequence[Sequence[int]],
        names: Sequence[Name],
        matching: Matching,
        feedback: Feedback,
        embeddings: FloatArray,
        texts: Sequence[Sequence[int]],
        segment: Segment,
    ) -> None:
        self._before = before
        self._setting = setting
        self._found = found
        self._rows = rows
        self._names = names
        self._matching = matching
        self._feedback = feedback
        self._embeddings = embeddings
        self._texts = texts
        self._segment = segment
        self._themes = {theme.id: theme for theme in before.themes}
        self._anchors = {**{anchor.theme_id: anchor for anchor in before.anchors}, **standing.anchors}
        self._origin: dict[str, str | None] = {}  # new theme -> the theme that it came out of
        self._changes: list[Change] = []

    def finish(self, messages: int) -> Mined:
        for index, cluster in enumerate(self._found.clusters):
            self._place(index, cluster)
        self._merge()
        themes, similarity, ids = self._assign()
        self._measure(themes, ids)
        members = tuple(
            Member(
                message_id=message.message_id,
                theme_id=ids[themes[row]],
                similarity=round(float(similarity[row]), 4),
                occurred_at=message.occurred_at,
            )
            for row, message in enumerate(self._feedback.messages)
            if themes[row] >= 0 and ids[themes[row]] in self._themes
        )
        return Mined(
            run_id=self._setting.run_id,
            model=self._setting.model,
            window=self._setting.window,
            space=self._found.space,
            themes=tuple(self._themes.values()),
            anchors=tuple(self._anchors.values()),
            members=members,
            changes=tuple(self._changes),
            messages=messages,
            matter=len(self._feedback),
            outliers={reason: len(rows) for reason, rows in self._found.outliers.items()},
        )

    def _place(self, index: int, cluster: Cluster) -> None:
        """Give a group its theme: the one that it was, or a new one."""
        rows = self._rows[index]
        identity = self._matching.identity[index]
        name = self._names[index]
        parts = self._parts(cluster)
        if identity is None:
            central = name.quotes[0].message_id if name.quotes else self._feedback.messages[rows[0]].message_id
            identity = theme_id(f"{self._setting.run_id}\x1f{central}")
            self._origin[identity] = self._matching.splits.get(index)
            times = [self._feedback.messages[row].occurred_at for row in rows]
            self._themes[identity] = Theme(
                id=identity,
                name=name,
                state="new",
                intents=(),
                departments=(),
                first_seen=min(times),
                last_seen=max(times),
                created_at=self._setting.window.end,
                parts=parts,
            )
        else:
            # The title stays: a theme that is called something else every week is not recognised.
            theme = self._themes[identity]
            self._themes[identity] = replace(theme, name=replace(name, title=theme.title), parts=parts)
        self._anchors[identity] = Anchor(
            theme_id=identity, model=self._setting.model, centroid=cluster.centroid, threshold=cluster.threshold
        )

    def _parts(self, cluster: Cluster) -> tuple[SubTheme, ...]:
        """Name the sub-themes against each other."""
        if not cluster.parts:
            return ()
        rows = [[row for text in part.tolist() for row in self._texts[text]] for part in cluster.parts]
        voices = [_voices(self._feedback, self._embeddings, entry) for entry in rows]
        placed = [self._found.space.place(self._embeddings[entry]).mean(axis=0, keepdims=True) for entry in rows]
        return tuple(
            SubTheme(
                title=name.title,
                phrases=name.phrases,
                quotes=name.quotes,
                messages=len(entry),
                centroid=tuple(round(float(value), 5) for value in unit(centre)[0]),
            )
            for name, entry, centre in zip(name_themes(voices, self._segment), rows, placed, strict=True)
        )

    def _merge(self) -> None:
        for gone, successor in self._matching.merges.items():
            theme, into = self._themes[gone], self._themes[successor]
            self._themes[gone], changes = lifecycle.merge(theme, into=into, by="discovery", at=self._setting.window.end)
            self._changes += changes

    def _assign(self) -> tuple[IntArray, FloatArray, list[str]]:
        """Assign every message, also those of the past, by the rule that serves online."""
        successors = {theme.id: theme.merged_into for theme in self._themes.values() if theme.merged_into}
        anchors = Anchors.of(
            self._found.space,
            [(resolve(key, successors), entry.centroid, entry.threshold) for key, entry in self._anchors.items()],
        )
        ids = [key for key, theme in self._themes.items() if theme.merged_into is None]
        number = {key: index for index, key in enumerate(ids)}
        nearest, similarity = assign(self._embeddings, anchors)
        of_anchor = np.array([number.get(key, -1) for key in anchors.ids] + [-1], dtype=np.int64)
        return of_anchor[nearest], similarity, ids

    def _measure(self, themes: IntArray, ids: Sequence[str]) -> None:
        since = {index: fixed for index, key in enumerate(ids) if (fixed := self._themes[key].fixed_at) is not None}
        judged = self._judged(themes, ids)
        measures = measure(self._feedback, themes, len(ids), self._setting.window, judged=judged, since=since)
        counted = counting(self._feedback, themes)
        days = daily(self._feedback, themes, len(ids), counted, self._setting.window)
        by_theme = _rows_by_theme(themes, len(ids))
        for index, key in enumerate(ids):
            theme = self._describe(self._themes[key], by_theme[index])
            effect: FixEffect | None = None
            if theme.fixed_at is not None and theme.state == "fixed":
                effect = fix_effect(days.counts[index], days.totals, days.day(theme.fixed_at) + 1)
            at = self._setting.window.end
            if key in self._origin and measures[index].counted < LEAST_NEW:
                del self._themes[key], self._anchors[key]
                continue
            if key in self._origin:
                theme = replace(theme, measure=measures[index])
                theme, changes = lifecycle.born(theme, at=at, came_from=self._origin[key])
            else:
                theme, changes = lifecycle.observe(theme, measures[index], at=at, effect=effect)
            self._themes[key] = theme
            self._changes += changes

    def _judged(self, themes: IntArray, ids: Sequence[str]) -> Judged | None:
        if not self._before.people:
            return None
        window = self._setting.window
        successors = {theme.id: theme.merged_into for theme in self._themes.values() if theme.merged_into}
        place = {key: index for index, key in enumerate(ids)}
        number = {key: place.get(resolve(key, successors), -1) for key in self._themes}
        return judge(
            self._feedback,
            self._feedback.inside(window.start, window.end),
            themes,
            self._before.people,
            number=number,
            touched=[{part.name for part in self._themes[key].intents} for key in ids],
        )

    def _describe(self, theme: Theme, rows: Sequence[int]) -> Theme:
        """Bring up to date whom a theme concerns and when it was heard."""
        if not rows:
            return theme
        messages = [self._feedback.messages[row] for row in rows]
        intents = _shares(Counter(message.intent for message in messages))
        products = Counter(message.product for message in messages if message.product)
        named = tuple(part.name for part in intents if part.name in self._setting.routes)
        return replace(
            theme,
            intents=intents,
            departments=theme_departments(named, self._setting.routes) or ("general_desk",),
            products=tuple(product for product, n in products.most_common(3) if n >= _TOUCHED * len(messages)),
            first_seen=min(theme.first_seen, messages[0].occurred_at),
            last_seen=max(theme.last_seen, messages[-1].occurred_at),
        )


def _rows_by_theme(themes: IntArray, n: int) -> list[list[int]]:
    rows: list[list[int]] = [[] for _ in range(n)]
    for row, theme in enumerate(themes.tolist()):
        if theme >= 0:
            rows[theme].append(row)
    return rows


def _shares(counted: Counter[str]) -> tuple[Part, ...]:
    total = sum(counted.values())
    return tuple(
        Part(name=name, share=round(n / total, 4)) for name, n in counted.most_common(4) if n >= _TOUCHED * total
    )
