"""How often a caller may ask: a bucket that refills steadily (generic cell rate algorithm, ITU-T I.371, annex A)."""

from __future__ import annotations

from dataclasses import dataclass

BURST_SECONDS = 10.0  # as many requests as come in this time may come at once


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The verdict on one request."""

    full_at: float  # seconds on the caller's clock: when the bucket is as if nothing had been taken
    wait: float  # seconds until a request is let in; 0: this one is


def take(full_at: float, now: float, *, per_minute: int) -> Taken:
    """Decide on a request at ``now``; a refused one costs nothing.

    full_at: of the decision before; any time in the past for a caller not seen yet
    per_minute: at least 1
    """
    interval = 60.0 / per_minute
    room = max(0.0, BURST_SECONDS - interval)
    start = max(full_at, now)
    if start - now > room + 1e-9:  # rounding must not refuse the request that just fits
        return Taken(full_at=full_at, wait=start - now - room)
    return Taken(full_at=start + interval, wait=0.0)
