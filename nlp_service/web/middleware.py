"""Around every request: an id, limits, security headers, time and count."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterable

import structlog
from fastapi import FastAPI, params
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from nlp_service.adapters.metrics import Metrics
from nlp_service.web.errors import problem, unexpected

MAX_BODY = 16 * 1024 * 1024  # bytes; 256 messages of 16,000 Chinese characters
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",  # answers hold what customers said; files of the pages say otherwise
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
}
_log = structlog.get_logger("nlp_service.access")


class RequestContext:
    """Pure ASGI: gives each request an id, observes its time, adds the security headers, also to unexpected errors."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        started = time.perf_counter()
        traces = scope["app"].state.service.traces
        span = traces.begin(scope["method"], Headers(scope=scope)) if traces else None
        status, begun, timing = 500, False, ""

        async def send_with_headers(message: Message) -> None:
            nonlocal status, begun, timing
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                status, begun, timing = message["status"], True, headers.get("server-timing", "")
                headers["X-Request-Id"] = request_id
                for name, value in _SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except Exception as exc:
            if begun:  # cutting the connection is all that is left
                raise
            await unexpected(scope["path"], exc)(scope, receive, send_with_headers)
        finally:
            route = scope.get("route")
            path = getattr(route, "path", "unmatched")
            seconds = time.perf_counter() - started
            metrics: Metrics = scope["app"].state.service.metrics
            metrics.requests.labels(path, str(status)).inc()
            metrics.latency.labels(path).observe(seconds)
            if traces and span:
                traces.end(
                    span, method=scope["method"], route=path, status=status, request_id=request_id, timing=timing
                )
            _log.debug("request", method=scope["method"], route=path, status=status, ms=round(seconds * 1000, 2))


class BodyLimit:
    """Refuses bodies over a limit with 413, whether announced by Content-Length or found while reading."""

    def __init__(self, app: ASGIApp, *, limit: int = MAX_BODY, upload_limit: int = MAX_BODY) -> None:
        self._app = app
        self._limit = limit
        self._upload_limit = upload_limit
        self._uploads: frozenset[str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._upload_limit if self._takes_files(scope) else self._limit
        announced = headers.get("content-length", "")
        if announced.isdigit() and int(announced) > limit:
            await _too_large(limit)(scope, receive, send)
            return
        read = 0

        async def limited_receive() -> Message:
            nonlocal read
            message = await receive()
            if message["type"] == "http.request":
                read += len(message.get("body", b""))
                if read > limit:
                    raise _BodyTooLargeError(limit)
            return message

        try:
            await self._app(scope, limited_receive, send)
        except _BodyTooLargeError:  # where no handler of HTTP errors stands between
            await _too_large(limit)(scope, receive, send)

    def _takes_files(self, scope: Scope) -> bool:
        """Tell whether the greater limit holds: for the routes that keep a file on the disk alone."""
        if self._uploads is None:
            self._uploads = frozenset(upload_paths(scope["app"]))
        return scope["method"] == "POST" and scope["path"] in self._uploads


class _BodyTooLargeError(HTTPException):
    """An HTTP error, because FastAPI turns any other one that comes up while it reads a body into 400."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body exceeds {limit} bytes: send fewer or shorter messages.")


def upload_paths(app: FastAPI) -> Iterable[str]:
    """Yield the paths of routes that take a file; they have no parameters."""
    for found in iter_route_contexts(app.routes):
        dependant = getattr(found, "dependant", None)
        fields = dependant.body_params if dependant is not None else ()
        if found.path and any(isinstance(field.field_info, params.File) for field in fields):
            yield found.path


def _too_large(limit: int) -> ASGIApp:
    error = _BodyTooLargeError(limit)
    return problem(error.status_code, "Body too large", error.detail)
