"""Prometheus metrics of one process, or of all workers where PROMETHEUS_MULTIPROC_DIR is set."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector

from nlp_service.adapters.delivery_metrics import DeliveryMetrics
from nlp_service.core.labelling import Labelling, ModelIdentity
from nlp_service.errors import ConfigurationError

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """Counters and histograms; label values come from the taxonomy and our own lists, so their number is bounded."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.delivery = DeliveryMetrics(self.registry)
        self.requests = Counter("nlp_requests_total", "HTTP requests", ["route", "status"], registry=self.registry)
        self.latency = Histogram(
            "nlp_request_seconds", "Time to the answer", ["route"], buckets=_SECONDS, registry=self.registry
        )
        self.stage = Histogram(
            "nlp_stage_seconds", "Time of /classify by stage", ["stage"], buckets=_SECONDS, registry=self.registry
        )
        self.batch = Histogram("nlp_batch_size", "Messages in one encoder pass", buckets=_SIZES, registry=self.registry)
        self.queue = Gauge("nlp_queue_tokens", "Tokens waiting", registry=self.registry, multiprocess_mode="livesum")
        self.cache = Counter("nlp_cache_total", "Duplicate cache look-ups", ["result"], registry=self.registry)
        self.messages = Counter(
            "nlp_messages_total", "Messages labelled", ["intent", "priority", "language"], registry=self.registry
        )
        self.handed_over = Counter(
            "nlp_needs_human_total", "Messages that a person must see", ["reason"], registry=self.registry
        )
        self.model = Gauge(
            "nlp_model_info",
            "Model that answers",
            ["name", "version"],
            registry=self.registry,
            multiprocess_mode="livemax",
        )
        self.drift = Gauge(
            "nlp_drift", "Drift of the newest week", ["measure"], registry=self.registry, multiprocess_mode="livemax"
        )
        self.drift_state = Gauge(
            "nlp_drift_state",
            "0 steady or too few messages, 1 watch, 2 alert",
            registry=self.registry,
            multiprocess_mode="livemax",
        )

    def drifted(self, values: Mapping[str, float], state: int) -> None:
        """Show the newest week's drift."""
        for measure, value in values.items():
            self.drift.labels(measure).set(value)
        self.drift_state.set(state)

    def labelled(self, labellings: Iterable[Labelling]) -> None:
        """Count labellings by intent, priority, language and reason to hand over."""
        for labelling in labellings:
            self.messages.labels(labelling.labels.intent.label, labelling.priority.level, labelling.language.code).inc()
            for reason in labelling.needs_human:
                self.handed_over.labels(reason).inc()

    def stages(self, seconds: Mapping[str, float]) -> None:
        for stage, duration in seconds.items():
            self.stage.labels(stage).observe(duration)

    def batch_scored(self, messages: int) -> None:
        self.batch.observe(messages)

    def queue_depth(self, tokens: int) -> None:
        self.queue.set(tokens)

    def cache_looked_up(self, *, hits: int, misses: int) -> None:
        self.cache.labels("hit").inc(hits)
        self.cache.labels("miss").inc(misses)

    def serving(self, identity: ModelIdentity) -> None:
        self.model.clear()
        self.model.labels(identity.name, identity.version).set(1)

    def render(self) -> bytes:
        """Return the exposition text."""
        registry = self.registry
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)

    def expose(self, host: str, port: int) -> None:
        """Serve the metrics from a thread, for a process without routes; raises ConfigurationError."""
        try:
            start_http_server(port, addr=host, registry=self.registry)
        except OSError as exc:
            raise ConfigurationError(
                f"metrics_port {port} at {host} cannot be listened on: {exc}; choose another, or 0 for none"
            ) from exc
