"""The life of a theme: what a run, a person or time does to its state. Pure; every change carries its reason."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Literal

from nlp_service.core.themes.values import Change, FixEffect, Measure, Name, Theme
from nlp_service.errors import Conflict

ESTABLISHED = timedelta(days=14)  # a new theme that lasts is active
QUIET_AFTER = timedelta(days=21)  # without a message
RECUR_DELAY = timedelta(days=7)  # after a fix, messages of the old version still come in
RECUR_LEAST = 5  # counted messages in the window
RECUR_PART = 0.5  # of the share before the fix
Moved = tuple[Theme, tuple[Change, ...]]


def observe(theme: Theme, seen: Measure, *, at: datetime, effect: FixEffect | None = None) -> Moved:
    """Return the theme after a run measured it in a window that ends at ``at``, and what happened.

    Args:
        theme: as it was; its ``measure`` is that of the run before.
        seen: this run's numbers.
        at: end of the window.
        effect: before against after, where the theme was fixed.
    """
    last_seen = theme.last_seen
    moved = replace(theme, measure=seen, last_seen=last_seen, fix=effect or theme.fix)
    if theme.state == "dismissed":
        return moved, ()
    changes: list[Change] = []
    if theme.state == "fixed":
        return _after_fix(theme, moved, seen, at, effect)
    if seen.counted == 0 and at - last_seen >= QUIET_AFTER and not theme.pinned:
        if theme.state == "quiet":
            return moved, ()
        reason = f"no message since {last_seen.date().isoformat()}"
        return replace(moved, state="quiet"), (_change(theme, "quiet", reason, at),)
    if theme.state == "quiet" and seen.counted >= RECUR_LEAST:
        reason = f"{seen.counted} messages after being quiet"
        return replace(moved, state="recurred"), (_change(theme, "recurred", reason, at),)
    rising = seen.growth is not None and seen.growth.rising
    state = theme.state
    if rising and state != "rising":
        changes.append(_change(theme, "rising", _rise(seen), at))
    if state in ("new", "active", "rising", "recurred"):
        if rising:
            state = "rising"
        elif state == "rising" or (state in ("new", "recurred") and at - theme.created_at >= ESTABLISHED):
            state = "active"
    return replace(moved, state=state), tuple(changes)


def _after_fix(theme: Theme, moved: Theme, seen: Measure, at: datetime, effect: FixEffect | None) -> Moved:
    """Judge a fix once, and notice when the matter comes back."""
    verdict, before = effect.verdict if effect else "not_yet_known", theme.fix.verdict if theme.fix else None
    if verdict == "did_not" and before != "did_not":
        return replace(moved, state="recurred"), (_change(theme, "fix_failed", effect.because if effect else "", at),)
    if verdict == "worked" and before not in ("worked", "did_not"):
        return moved, (_change(theme, "fix_worked", effect.because if effect else "", at),)
    known_good = before == "worked"
    fixed_at = theme.fixed_at or at
    growth = seen.growth
    back = growth is not None and growth.rising and seen.counted >= RECUR_LEAST
    if known_good and back and at - fixed_at >= RECUR_DELAY:
        keep = theme.fix if theme.fix else effect
        reason = f"{seen.counted} messages again after a fix that had worked; {_rise(seen)}"
        return replace(moved, state="recurred", fix=keep), (_change(theme, "recurred", reason, at),)
    if known_good:
        moved = replace(moved, fix=theme.fix)
    return moved, ()


def born(theme: Theme, *, at: datetime, came_from: str | None = None) -> Moved:
    """Return a theme found for the first time."""
    seen = theme.measure
    numbers = f"{seen.counted} messages of {seen.customers} customers" if seen else "first found"
    if came_from is not None:
        reason = f"came out of {came_from}: {numbers}"
        return theme, (_change(theme, "split", reason, at, others=(came_from,)),)
    return theme, (_change(theme, "new", numbers, at),)


def acknowledge(theme: Theme, *, by: str, at: datetime) -> Moved:
    """A person takes a theme on."""
    _alive(theme, "acknowledge")
    if theme.state == "acknowledged" and theme.acknowledged_by == by:
        return theme, ()
    if theme.state == "fixed":
        raise Conflict(f"theme {theme.id} is already fixed, by {theme.fixed_by}: it needs no acknowledgement")
    moved = replace(theme, state="acknowledged", acknowledged_by=by, acknowledged_at=at)
    return moved, (_change(theme, "acknowledged", f"taken on by {by}", at),)


def fix(theme: Theme, *, by: str, at: datetime, what: str | None = None) -> Moved:
    """A person says that the cause is removed, as of ``at``."""
    _alive(theme, "fix")
    if theme.state == "fixed" and theme.fixed_by == by and what in (None, theme.fixed_what):
        return theme, ()
    moved = replace(theme, state="fixed", fixed_by=by, fixed_at=at, fixed_what=what, fix=None)
    return moved, (_change(theme, "fixed", f"fixed by {by}" + (f": {what}" if what else ""), at),)


def dismiss(theme: Theme, *, by: str, at: datetime, why: str | None = None) -> Moved:
    """A person does not want to hear of a theme; later runs still find and count it, without events."""
    _alive(theme, "dismiss")
    if theme.state == "dismissed":
        return theme, ()
    moved = replace(theme, state="dismissed", dismissed_by=by)
    return moved, (_change(theme, "dismissed", f"dismissed by {by}" + (f": {why}" if why else ""), at),)


def restore(theme: Theme, *, by: str, at: datetime) -> Moved:
    """Undo a dismissal or a merge."""
    if theme.state != "dismissed" and theme.merged_into is None:
        raise Conflict(f"theme {theme.id} is neither dismissed nor merged: there is nothing to restore")
    kind: Literal["split", "new"] = "split" if theme.merged_into else "new"
    others = (theme.merged_into,) if theme.merged_into else ()
    moved = replace(theme, state="active", dismissed_by=None, merged_into=None)
    return moved, (_change(theme, kind, f"restored by {by}", at, others=others),)


def rename(theme: Theme, *, title: str, by: str, at: datetime) -> Moved:
    """A person gives a title; runs keep it."""
    title = title.strip()
    if not title:
        raise Conflict(f"theme {theme.id} needs a title of at least one character")
    if title == theme.title:
        return replace(theme, named_by=by), ()
    moved = replace(theme, name=replace(theme.name, title=title), named_by=by)
    return moved, (_change(theme, "renamed", f"{by} renamed “{theme.title}” to “{title}”", at),)


def merge(theme: Theme, *, into: Theme, by: str, at: datetime) -> Moved:
    """Two themes are one: ``theme`` goes on as ``into``."""
    if theme.id == into.id:
        raise Conflict(f"theme {theme.id} cannot be merged into itself")
    if into.merged_into is not None:
        raise Conflict(f"theme {into.id} was itself merged into {into.merged_into}: merge into that one")
    if theme.merged_into is not None:
        raise Conflict(f"theme {theme.id} was already merged into {theme.merged_into}: restore it first")
    moved = replace(theme, merged_into=into.id, state="quiet")
    return moved, (_change(theme, "merged", f"merged into “{into.title}” by {by}", at, others=(into.id,)),)


def renamed_by_run(theme: Theme, name: Name) -> Theme:
    """Take the name that a run found, unless a person gave the title."""
    return replace(theme, name=replace(name, title=theme.title) if theme.named_by else name)


def _alive(theme: Theme, verb: str) -> None:
    if theme.merged_into is not None:
        raise Conflict(f"theme {theme.id} was merged into {theme.merged_into}: {verb} that one")


def _rise(seen: Measure) -> str:
    growth = seen.growth
    if growth is None:
        return f"{seen.counted} messages"
    return f"{growth.messages} messages where {growth.expected:.1f} were to be expected (p {growth.p:.2g})"


def _change(theme: Theme, kind: str, reason: str, at: datetime, *, others: tuple[str, ...] = ()) -> Change:
    return Change(theme_id=theme.id, kind=kind, reason=reason, at=at, others=others)
