"""Mine themes from what is stored: read a window, discover, match, measure, store with events."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from nlp_service.contract.inputs import compose
from nlp_service.core.corrections.settle import settle_all
from nlp_service.core.corrections.values import CorrectedLabels
from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.labelling import FloatArray, ModelIdentity
from nlp_service.core.stored import LabelledMessage, Window
from nlp_service.core.themes.discover import Options
from nlp_service.core.themes.judged import as_people_say
from nlp_service.core.themes.mining import Mined, Setting, mine
from nlp_service.core.themes.name import Segment
from nlp_service.core.themes.standing import Before
from nlp_service.core.themes.values import Name
from nlp_service.errors import Conflict, StorageUnavailable
from nlp_service.ports import JobContext, MessageStore, Model, ThemeStore
from nlp_service.ports.review import CorrectionStore

LEASE = "themes.mine"
LEASE_FOR = timedelta(minutes=2)  # a run that died frees its lease after this; one that lives prolongs it
BEAT_SECONDS = 20.0
TURN_SECONDS = 2.0  # between looks whether the run of another process has ended
REPORTED = timedelta(days=7)
ECHOES = 20  # newest messages of a theme that a new model reads to place it
PAST = timedelta(days=56)  # read before the window: the history that growth and fixes are held against


@dataclass(frozen=True, kw_only=True)
class Mining:
    mined: Mined
    events: tuple[ThemeEvent, ...]

    def summary(self) -> dict[str, Any]:
        """Return what came of the run as JSON-ready data."""
        mined = self.mined
        return {
            "run": mined.run_id,
            "messages": mined.messages,  # read, the past included
            "matter": mined.matter,  # that carry a matter
            "themes": sum(theme.measure is not None and theme.measure.counted > 0 for theme in mined.themes),
            "outliers": dict(mined.outliers),
            "events": [f"{event.kind}: {event.title}" for event in self.events],
        }


@dataclass(frozen=True, kw_only=True)
class Mine:
    """Several replicas may call this at once: one runs, the others are refused."""

    messages: MessageStore
    themes: ThemeStore
    segment: Segment
    routes: Mapping[str, str]  # intent -> department
    scope_threshold: float
    now: Callable[[], datetime]
    holder: str  # this process, for the lease
    options: Options = field(default_factory=Options)
    served: Callable[[], Model] | None = None  # reads old themes' messages anew; None: shared messages alone place them
    write_title: Callable[[Name], str | None] | None = None  # for new themes; None keeps the customers' words
    corrections: CorrectionStore | None = None  # people's labels count where there are any
    sentiments: Mapping[str, int] = field(default_factory=dict)  # id -> ordinal value, for people's labels

    def __call__(self, *, window: Window | None = None, model: ModelIdentity | None = None) -> Mining:
        """Run over a window, the last seven days by default, with the model that labelled most of it.

        Raises:
            Conflict: somebody else is mining, or took over because this process seemed gone; nothing is stored.
        """
        at = self.now()
        window = window or Window(start=at - REPORTED, end=at)
        if not self._take_lease():
            raise Conflict("themes are being mined right now: wait for that run to end")
        ended = threading.Event()
        heart = threading.Thread(target=self._hold_lease, args=(ended,), name="lease of mining", daemon=True)
        heart.start()
        try:
            return self._run(window, model, at)
        finally:
            ended.set()
            heart.join(5)
            self.themes.release(LEASE, holder=self.holder)

    def _take_lease(self) -> bool:
        return self.themes.acquire(LEASE, holder=self.holder, until=self.now() + LEASE_FOR)

    def _hold_lease(self, ended: threading.Event) -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                self._take_lease()
            except StorageUnavailable:
                continue  # the next beat may reach the database; a lease lost meanwhile shows before the commit

    def _run(self, window: Window, model: ModelIdentity | None, at: datetime) -> Mining:
        read = Window(start=window.start - PAST, end=window.end)
        model = model or self._model(window) or self._model(read)
        if model is None:
            model = ModelIdentity(name="none", version="0")
        people = self._people(read)
        messages, embeddings = self._read(read, model, people)
        setting = Setting(
            window=window,
            model=model,
            routes=self.routes,
            scope_threshold=self.scope_threshold,
            run_id=f"{model.name} {model.version} {window.end.isoformat()}",
            options=self.options,
        )
        before = replace(self._echoed(self.themes.before(model, read), model), people=people)
        mined = self._titled(mine(messages, embeddings, before, setting, self.segment))
        if not self._take_lease():  # this process stood still, or a clock jumped
            raise Conflict("another process took mining over: its run counts, this one is not stored")
        return Mining(mined=mined, events=self.themes.commit(mined, read_at=at))

    def _echoed(self, before: Before, model: ModelIdentity) -> Before:
        """Let the model read messages of the themes that only an earlier one has placed: so they are found again."""
        served = self.served() if self.served is not None else None
        if served is None or served.identity != model:
            return before
        placed = {anchor.theme_id for anchor in before.anchors}
        echoes = {}
        for theme in before.themes:
            if theme.merged_into is None and theme.id not in placed:
                texts = [message.text for message in self.themes.heard(theme.id, limit=ECHOES)]
                if texts:
                    echoes[theme.id] = served.score([compose(text) for text in texts]).embedding
        return replace(before, echoes=echoes)

    def _titled(self, mined: Mined) -> Mined:
        """Let new themes be given a written title where that is switched on."""
        if self.write_title is None:
            return mined
        new = {change.theme_id for change in mined.changes if change.kind in ("new", "split")}
        themes = [
            replace(theme, name=replace(theme.name, title=self.write_title(theme.name) or theme.title))
            if theme.id in new
            else theme
            for theme in mined.themes
        ]
        return replace(mined, themes=tuple(themes))

    def _model(self, window: Window) -> ModelIdentity | None:
        """Return the model that labelled most messages of a window, the later version among equals."""
        labelled = self.messages.models(window)
        return max(labelled, key=lambda model: (labelled[model], model.version), default=None)

    def _people(self, window: Window) -> dict[str, CorrectedLabels]:
        """Return what people settled on, by message."""
        if self.corrections is None:
            return {}
        return {key: settled.labels for key, settled in settle_all(self.corrections.made_in(window)).items()}

    def _read(
        self, window: Window, model: ModelIdentity, people: Mapping[str, CorrectedLabels]
    ) -> tuple[list[LabelledMessage], FloatArray]:
        messages: list[LabelledMessage] = []
        parts: list[FloatArray] = []
        for page in self.messages.labelled(window, model=model):
            messages += [self._as_people_say(message, people.get(message.message_id)) for message in page.messages]
            parts.append(page.embeddings)
        return messages, np.concatenate(parts) if parts else np.zeros((0, 1), dtype=np.float32)

    def _as_people_say(self, message: LabelledMessage, labels: CorrectedLabels | None) -> LabelledMessage:
        return message if labels is None else as_people_say(message, labels, sentiments=self.sentiments)


@dataclass(frozen=True, kw_only=True)
class MineJob:
    """ports.JobHandler: mining as a job; a run that died is simply run again."""

    mine: Mine

    def __call__(self, context: JobContext) -> Mapping[str, Any]:
        """Mine the last ``days`` days."""
        at = self.mine.now()
        days = int(context.job.params.get("days", REPORTED.days))
        context.check()
        mining = self._in_turn(context, Window(start=at - timedelta(days=days), end=at))
        context.report(mining.mined.messages, mining.mined.messages, unit="messages")
        return mining.summary()

    def _in_turn(self, context: JobContext, window: Window) -> Mining:
        """Mine once no other run is under way; a queued job is not lost because another came first."""
        while True:
            context.check()
            context.report(0, unit="messages", note="mining")
            try:
                return self.mine(window=window)
            except Conflict as exc:
                context.report(0, unit="messages", note=str(exc))
                threading.Event().wait(TURN_SECONDS)
