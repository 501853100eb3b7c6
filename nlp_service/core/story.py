"""The shipped demo's story: what was planted in its messages, held against the themes that were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from nlp_service.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Matter:
    """One planted matter."""

    name: str
    told: Mapping[str, str]  # language -> what it is
    messages: frozenset[str]  # ids


@dataclass(frozen=True, kw_only=True)
class Story:
    start: datetime
    days: int
    matters: tuple[Matter, ...]
    fixed: str  # the matter whose cause is removed
    fixed_day: int  # days after the start
    fixed_by: str
    fixed_what: str

    @classmethod
    def of(cls, data: Mapping[str, Any], *, where: str) -> Story:
        """Read the story file; raises InputError naming what is missing."""
        try:
            fix = data["fix"]
            return cls(
                start=datetime.fromisoformat(data["start"]),
                days=int(data["days"]),
                matters=tuple(
                    Matter(name=name, told={"zh": told["zh"], "en": told["en"]}, messages=frozenset(told["messages"]))
                    for name, told in data["matters"].items()
                ),
                fixed=str(fix["matter"]),
                fixed_day=int(fix["day"]),
                fixed_by=str(fix["by"]),
                fixed_what=str(fix["what"]),
            )
        except (KeyError, TypeError, ValueError) as exc:
            raise InputError(f"{where} is no story file: {exc!r}; make it again with corpora/demo/make.py") from exc

    def shift(self, now: datetime) -> timedelta:
        """Return whole days by which the story is moved, so that it ends with the last 24 hours before ``now``."""
        return timedelta(days=(now - (self.start + timedelta(days=self.days))) // timedelta(days=1))


@dataclass(frozen=True, kw_only=True)
class Placed:
    """Where a planted matter went."""

    matter: Matter
    themes: tuple[str, ...]  # that hold mostly this matter, most of its messages first
    planted: int  # of its messages among those looked at
    inside: int  # of these in the themes
    strangers: int  # other messages in the themes

    @property
    def found(self) -> float:
        """Share of the planted messages that lie in the themes."""
        return self.inside / self.planted if self.planted else 0.0

    @property
    def pure(self) -> float:
        """Share of the themes' messages that were planted."""
        whole = self.inside + self.strangers
        return self.inside / whole if whole else 0.0


def place(matter: Matter, members: Mapping[str, str], heard: Iterable[str]) -> Placed:
    """Find the themes of a matter.

    Args:
        matter: the planted messages.
        members: message -> theme.
        heard: ids of the messages looked at.
    """
    kept = set(heard)
    planted = matter.messages & kept
    of_theme = Counter(theme for message, theme in members.items() if message in kept)
    own = Counter(members[message] for message in planted if message in members)
    themes = tuple(theme for theme, n in own.most_common() if 2 * n >= of_theme[theme])
    return Placed(
        matter=matter,
        themes=themes,
        planted=len(planted),
        inside=sum(own[theme] for theme in themes),
        strangers=sum(of_theme[theme] - own[theme] for theme in themes),
    )
