"""OpenTelemetry traces: one span a request, with its route, status and stages; no address, query, id or text in it.

FastAPI's own spans carry the path, in which customers' ids stand, so they are switched off.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Self

from nlp_service.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span

_INSTALL = "install it with `pip install 'nlp-service[otel]'`, or leave NLP_SERVICE_TRACES_ENDPOINT unset"


class Traces:
    """Spans of requests, sent in the background; a collector that is away costs no request anything."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("nlp_service")

    @classmethod
    def open(cls, endpoint: str) -> Self:
        """Export to an OTLP/HTTP address; raises ConfigurationError where the optional packages are missing."""
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError as exc:
            raise ConfigurationError(f"traces need OpenTelemetry: {_INSTALL}") from exc
        return cls.over(OTLPSpanExporter(endpoint=endpoint, timeout=5), BatchSpanProcessor)

    @classmethod
    def over(cls, exporter: SpanExporter, processor: type) -> Self:
        """Export over any exporter of the OpenTelemetry SDK by way of one of its processors."""
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider

        provider = TracerProvider(resource=Resource.create({"service.name": "nlp-service"}), shutdown_on_exit=False)
        provider.add_span_processor(processor(exporter))
        return cls(provider)

    def begin(self, method: str, headers: Mapping[str, str]) -> Span:
        """Start the span of a request, under the caller's where its headers name one (W3C Trace Context)."""
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        parent = TraceContextTextMapPropagator().extract({name: headers[name] for name in _PARENT if name in headers})
        return self._tracer.start_span(method, context=parent, kind=SpanKind.SERVER)

    def end(self, span: Span, *, method: str, route: str, status: int, request_id: str, timing: str) -> None:
        """Close a span; ``timing`` is a Server-Timing header, whose stages become attributes in milliseconds."""
        from opentelemetry.trace import Status, StatusCode

        span.update_name(f"{method} {route}")
        span.set_attributes(
            {
                "http.request.method": method,
                "http.route": route,
                "http.response.status_code": status,
                "nlp.request_id": request_id,
            }
        )
        for stage in filter(None, timing.split(", ")):
            name, _, duration = stage.partition(";dur=")
            span.set_attribute(f"nlp.stage.{name}_ms", float(duration))
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end()

    def close(self) -> None:
        """Send what waits, for a moment."""
        self._provider.force_flush(2000)
        self._provider.shutdown()


_PARENT = ("traceparent", "tracestate")
