"""Prometheus metrics of delivery, for the server and for `nlp-service worker`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, Gauge

from nlp_service.core.delivery.records import Backlog
from nlp_service.core.delivery.subscriptions import CHANNELS


class DeliveryMetrics:
    """Attempts of this process; what waits is read from the database, so that any process shows it for all."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.attempts = Counter(
            "nlp_delivery_attempts_total",
            "Attempts to deliver, samples too, by channel and verdict",
            ["channel", "verdict"],
            registry=registry,
        )
        self.open = _gauge("nlp_delivery_backlog", "Deliveries that have not arrived", registry)
        self.oldest = _gauge(
            "nlp_delivery_oldest_seconds", "Age of the oldest delivery that should have arrived by now", registry
        )
        self.dead = _gauge("nlp_delivery_dead_letters", "Deliveries given up, until they are sent again", registry)

    def attempted(self, channel: str, verdict: str) -> None:
        """Count an attempt; ``verdict``: done, retry, disable or dead."""
        self.attempts.labels(channel, verdict).inc()

    def waiting(self, backlog: Sequence[Backlog] | None, *, now: datetime) -> None:
        """Show what waits; None: the database does not answer, and no number is better than an old one."""
        known = {entry.channel: entry for entry in backlog or ()}
        for channel in CHANNELS:
            entry = known.get(channel)
            nothing = 0.0 if backlog is not None else float("nan")
            self.open.labels(channel).set(entry.open if entry else nothing)
            self.dead.labels(channel).set(entry.dead if entry else nothing)
            late = entry is not None and entry.oldest is not None
            age = (now - entry.oldest).total_seconds() if late and entry and entry.oldest else nothing
            self.oldest.labels(channel).set(age)


def _gauge(name: str, what: str, registry: CollectorRegistry) -> Gauge:
    return Gauge(name, what, ["channel"], registry=registry, multiprocess_mode="mostrecent")
