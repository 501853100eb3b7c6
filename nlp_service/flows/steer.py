"""What people decide about themes: acknowledge, fix, dismiss, restore, rename, pin, merge, split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from nlp_service.core.themes import lifecycle
from nlp_service.core.themes.lifecycle import Moved
from nlp_service.core.themes.space import unit
from nlp_service.core.themes.values import Anchor, Name, Theme, theme_id
from nlp_service.errors import Conflict, NotFound
from nlp_service.ports import ThemeStore


@dataclass(frozen=True, kw_only=True)
class Steer:
    """Every decision is kept by later runs; each is an event that names who decided."""

    themes: ThemeStore
    now: Callable[[], datetime]

    def acknowledge(self, theme_id: str, *, by: str, at: datetime | None = None) -> Theme:
        """Record who took a theme on."""
        moment = at or self.now()
        return self._decide(theme_id, lambda theme: lifecycle.acknowledge(theme, by=by, at=moment))

    def fix(self, theme_id: str, *, by: str, at: datetime | None = None, what: str | None = None) -> Theme:
        """Record that a theme's cause was removed as of ``at``; later runs say whether it worked."""
        moment = at or self.now()
        return self._decide(theme_id, lambda theme: lifecycle.fix(theme, by=by, at=moment, what=what))

    def dismiss(self, theme_id: str, *, by: str, why: str | None = None) -> Theme:
        """Silence a theme."""
        return self._decide(theme_id, lambda theme: lifecycle.dismiss(theme, by=by, at=self.now(), why=why))

    def restore(self, theme_id: str, *, by: str) -> Theme:
        """Undo a dismissal or a merge."""
        return self._decide(theme_id, lambda theme: lifecycle.restore(theme, by=by, at=self.now()))

    def rename(self, theme_id: str, *, title: str, by: str) -> Theme:
        """Give a title that runs keep."""
        return self._decide(theme_id, lambda theme: lifecycle.rename(theme, title=title, by=by, at=self.now()))

    def pin(self, theme_id: str, *, pinned: bool = True) -> Theme:
        """Keep a theme in sight even when it is quiet, and from being merged by a run."""
        return self._decide(theme_id, lambda theme: (replace(theme, pinned=pinned), ()))

    def merge(self, theme_id: str, *, into: str, by: str) -> Theme:
        """Let a theme go on as another; its messages, also future ones, count there. Returns the one that goes on."""
        target = self.themes.get(into)

        def decide(theme: Theme) -> Moved:
            return lifecycle.merge(theme, into=target, by=by, at=self.now())

        self.themes.decide(theme_id, decide, into=into)
        return self.themes.get(into)

    def split(self, theme_id_: str, *, part: int, by: str) -> Theme:
        """Make a sub-theme a theme of its own; from now on messages go to the nearer of the two."""
        theme = self.themes.get(theme_id_)
        if not 0 <= part < len(theme.parts):
            raise NotFound(f"theme {theme.id} has {len(theme.parts)} parts, there is no part {part}")
        chosen = theme.parts[part]
        centroid = np.asarray(chosen.centroid, dtype=np.float32)
        anchors = [anchor for anchor in self.themes.anchors(theme.id) if len(anchor.centroid) == len(centroid)]
        if not anchors:
            raise Conflict(f"theme {theme.id} has no place in a model's space yet: mine first")
        at = self.now()
        new = Theme(
            id=theme_id(f"{theme.id}\x1fsplit\x1f{chosen.title}"),
            name=Name(title=chosen.title, phrases=chosen.phrases, quotes=chosen.quotes, language=theme.name.language),
            state="active",
            intents=theme.intents,
            departments=theme.departments,
            products=theme.products,
            first_seen=theme.first_seen,
            last_seen=theme.last_seen,
            created_at=at,
            parent=theme.id,
        )
        newest = anchors[-1]
        place = Anchor(
            theme_id=new.id, model=newest.model, centroid=unit(centroid[None])[0], threshold=newest.threshold
        )
        _, changes = lifecycle.born(new, at=at, came_from=theme.id)
        self.themes.add(new, [place], changes)
        rest = tuple(entry for index, entry in enumerate(theme.parts) if index != part)
        self._decide(theme.id, lambda current: (replace(current, parts=rest), ()))
        return new

    def _decide(self, theme_id: str, decision: Callable[[Theme], Moved]) -> Theme:
        return self.themes.decide(theme_id, decision)[0]
