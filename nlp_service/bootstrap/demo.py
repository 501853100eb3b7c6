"""The shipped demo put together: its messages stored as if they had come in until now, mined as time goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import orjson

import nlp_service
from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.messages import Messages
from nlp_service.adapters.db.themes import Themes
from nlp_service.adapters.files.rows import FileRows
from nlp_service.bootstrap.labeller import open_labeller
from nlp_service.bootstrap.parts import now, open_messages, open_mine, open_themes
from nlp_service.core.expand import Expander
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.messages import Message
from nlp_service.core.stored import Window
from nlp_service.core.story import Placed, Story, place
from nlp_service.core.themes.feedback import carries_matter
from nlp_service.core.themes.values import Theme
from nlp_service.errors import Conflict, NotFound
from nlp_service.flows.mine import Mine, Mining
from nlp_service.flows.steer import Steer
from nlp_service.settings import Settings
from nlp_service.wire.messages import parse_message

FILES = ("messages.jsonl", "transcripts.jsonl", "story.json")
RUNS = (14, 28, 35, 42, 49, 56)  # days after the start on which the demo mines
REPORTED = timedelta(days=14)  # each run's window: a region's part of a theme shows in it
CHUNK = 512


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run."""

    end: datetime
    mining: Mining


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the demo came to."""

    story: Story
    start: datetime  # of the story as it was stored
    messages: int
    feedback: int  # messages of the last fortnight that carry a matter
    runs: tuple[Run, ...]
    placed: tuple[Placed, ...]  # over the last fortnight, in the story's order
    themes: Mapping[str, Theme]  # by id, as they are at the end


def demo_folder(given: Path | None = None) -> Path:
    """Return the folder with the demo's files: the given one, the package's own, or the repository's.

    Raises:
        NotFound: none of them is there.
    """
    package = Path(nlp_service.__file__).parent
    for folder in (given,) if given else (package / "demo", package.parent / "corpora" / "demo"):
        if all((folder / name).is_file() for name in FILES):
            return folder
    raise NotFound(
        f"the demo's files ({', '.join(FILES)}) are not in {given or package / 'demo'}: "
        "take corpora/demo of the repository and name it with --from"
    )


def read_story(folder: Path) -> Story:
    path = folder / "story.json"
    return Story.of(orjson.loads(path.read_bytes()), where=str(path))


def read_demo(folder: Path) -> Iterator[Message]:
    """Yield the messages of both files, the customers' turns of transcripts with the turns before them."""
    for name in FILES[:2]:
        rows = FileRows.open([str(folder / name)])
        expander = Expander(rows.guess())
        for row in rows.rows():
            for item in expander.expand(row):
                if not item.agent:
                    yield parse_message(item.fields)[0]


def tell(
    settings: Settings, database: Database, folder: Path, *, report: Callable[[str], None] = lambda _: None
) -> Told:
    """Store the demo in an empty database, mine it as time goes on, and say what became of what was planted.

    Raises:
        Conflict: the database already holds messages.
        NotFound, InputError: the demo's files are not there or damaged.
    """
    story = read_story(folder)
    at = now()
    shift = story.shift(at)
    store = open_messages(settings, database)
    if store.models(Window(start=at - timedelta(days=36_500), end=at + timedelta(days=1))):
        raise Conflict(f"{settings.database} already holds messages: give the demo a database of its own")
    labeller = open_labeller(settings)
    messages = [replace(message, sent_at=(message.sent_at or story.start) + shift) for message in read_demo(folder)]
    messages.sort(key=lambda message: (message.sent_at or at, message.id))
    for first in range(0, len(messages), CHUNK):
        chunk = messages[first : first + CHUNK]
        store.save(list(zip(chunk, labeller.label(chunk), strict=True))).result()
        report(f"labelled {first + len(chunk)} of {len(messages)} messages")
    scope = labeller.model.calibration.scope_threshold
    themes = open_themes(settings, database)
    mine = open_mine(settings, store, themes, labeller.taxonomy, scope_threshold=scope)
    demo = _Demo(
        story=story,
        start=story.start + shift,
        store=store,
        themes=themes,
        mine=mine,
        model=labeller.model.identity,
        report=report,
    )
    return demo.told(demo.live(), len(messages))


@dataclass(frozen=True, kw_only=True)
class _Demo:
    """The story among the themes."""

    story: Story
    start: datetime
    store: Messages
    themes: Themes
    mine: Mine
    model: ModelIdentity
    report: Callable[[str], None]

    def live(self) -> tuple[Run, ...]:
        """Mine through the weeks; the team fixes its complaint when the story says so."""
        runs: list[Run] = []
        fixed = self.start + timedelta(days=self.story.fixed_day)
        for day in RUNS:
            end = self.start + timedelta(days=day)
            if runs and runs[-1].end <= fixed < end:
                self._fix(fixed, until=runs[-1].end)
            mining = self.mine(window=Window(start=end - REPORTED, end=end), model=self.model)
            runs.append(Run(end=end, mining=mining))
            self.report(f"mined the fortnight before {end:%Y-%m-%d}")
        return tuple(runs)

    def _fix(self, at: datetime, *, until: datetime) -> None:
        """Do what the team in the story does: say that the cause of its complaint is removed."""
        matter = next(entry for entry in self.story.matters if entry.name == self.story.fixed)
        members = self.themes.before(self.model, Window(start=self.start, end=until)).members
        for theme in place(matter, members, members).themes:
            steer = Steer(themes=self.themes, now=lambda: at)
            steer.fix(theme, by=self.story.fixed_by, at=at, what=self.story.fixed_what)

    def told(self, runs: tuple[Run, ...], messages: int) -> Told:
        """Hold what was found in the last fortnight against what was planted in it."""
        end = self.start + timedelta(days=self.story.days)
        window = Window(start=end - REPORTED, end=end)
        heard = [
            message.message_id
            for page in self.store.labelled(window, model=self.model)
            for message in page.messages
            if carries_matter(message, scope_threshold=self.mine.scope_threshold)
        ]
        members = self.themes.before(self.model, window).members
        return Told(
            story=self.story,
            start=self.start,
            messages=messages,
            feedback=len(heard),
            runs=runs,
            placed=tuple(place(matter, members, heard) for matter in self.story.matters),
            themes={theme.id: theme for theme in self.themes.themes()},
        )
