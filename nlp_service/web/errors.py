"""The one table from exception to HTTP status; every error is an RFC 9457 problem."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from nlp_service import errors

_log = structlog.get_logger(__name__)


class InvalidBody(errors.InputError):
    """A body breaks its schema; ``faults`` are pydantic's."""

    def __init__(self, faults: Sequence[Any]) -> None:
        super().__init__("the request breaks its schema")
        self.faults = faults


STATUS: Mapping[type[errors.NlpServiceError], tuple[int, str]] = {
    errors.InvalidMessage: (422, "Invalid message"),
    errors.CorpusError: (422, "Invalid corpus"),
    errors.PolicyError: (422, "Invalid policy"),
    errors.NotFound: (404, "Not found"),
    errors.InputError: (422, "Invalid input"),
    errors.Conflict: (409, "Conflict"),
    errors.Unauthenticated: (401, "Unauthenticated"),
    errors.Forbidden: (403, "Forbidden"),
    errors.Overloaded: (429, "Too many requests"),
    errors.StorageUnavailable: (503, "Storage unavailable"),
    errors.Unavailable: (503, "Unavailable"),
    errors.JobError: (409, "Job stopped"),
    errors.ConfigurationError: (500, "Configuration error"),
    errors.NlpServiceError: (500, "Error"),
}


def problem(
    status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None, **extra: Any
) -> Response:
    """Return an RFC 9457 problem document."""
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}
    return Response(
        orjson.dumps(body), status_code=status, media_type="application/problem+json", headers=dict(headers or {})
    )


def status_of(exc: errors.NlpServiceError) -> tuple[int, str]:
    """Return (status, title) of the nearest class in the table."""
    return next(STATUS[cls] for cls in type(exc).__mro__ if cls in STATUS)


def install(app: FastAPI) -> None:
    """Register the handlers on an application."""
    app.add_exception_handler(errors.NlpServiceError, _on_service_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_error)


def _on_service_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, errors.NlpServiceError)
    if isinstance(exc, InvalidBody):
        return validation_problem(exc.faults)
    status, title = status_of(exc)
    headers = {}
    extra: dict[str, Any] = {}
    if isinstance(exc, errors.Unavailable):
        headers["Retry-After"] = str(max(1, math.ceil(exc.retry_after)))
    if isinstance(exc, errors.Unauthenticated):
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(exc, errors.InvalidMessage) and exc.field:
        extra["field"] = exc.field
    if status >= 500:
        _log.error("request_failed", path=request.url.path, error=type(exc).__name__, detail=str(exc))
    return problem(status, title, str(exc), headers=headers, **extra)


def _on_validation_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, RequestValidationError)
    return validation_problem(exc.errors())


def validation_problem(found: Any) -> Response:
    """Return one problem naming every field at fault, without repeating what was sent."""
    faults = [{"field": ".".join(str(part) for part in item["loc"]), "message": item["msg"]} for item in found][:50]
    detail = "; ".join(f"{fault['field']}: {fault['message']}" for fault in faults[:5])
    return problem(422, "Invalid request", detail, errors=faults)


def _on_http_error(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    return problem(exc.status_code, str(exc.detail), str(exc.detail), headers=exc.headers)


def unexpected(path: str, exc: Exception) -> Response:
    """Log an error that nobody foresaw and return the answer, which tells nothing of it."""
    _log.exception("unexpected_error", path=path, exc_info=exc)
    return problem(500, "Internal error", "An unexpected error was logged with this request's id.")
