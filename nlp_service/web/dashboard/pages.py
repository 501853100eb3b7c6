"""Routes that answer people: an error becomes a page, a missing sign-in becomes the sign-in page."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.responses import RedirectResponse

from nlp_service.errors import NlpServiceError, Unauthenticated
from nlp_service.web.dashboard.access import COOKIE
from nlp_service.web.dashboard.view import View
from nlp_service.web.errors import status_of

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
_log = structlog.get_logger(__name__)


class PageRoute(APIRoute):
    """A route of pages."""

    def get_route_handler(self) -> Handler:
        handle = super().get_route_handler()

        async def handle_for_people(request: Request) -> Response:
            try:
                response = await handle(request)
            except Unauthenticated:
                return _to_sign_in(request)
            except NlpServiceError as exc:
                status, _ = status_of(exc)
                if status >= 500:
                    _log.error("page_failed", path=request.url.path, error=type(exc).__name__, detail=str(exc))
                return _problem(request, status, str(exc))
            except RequestValidationError as exc:
                faults = "; ".join(f"{item['loc'][-1]}: {item['msg']}" for item in exc.errors()[:5])
                return _problem(request, 422, faults)
            return _private(response)

        return handle_for_people


def _private(response: Response) -> Response:
    """Keep a page out of caches, and let its forms say where they come from (``no-referrer`` would hide it)."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def _to_sign_in(request: Request) -> Response:
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/ui/sign-in" if request.method != "GET" else f"/ui/sign-in?next={quote(wanted)}"
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/ui/sign-in"})
    response = RedirectResponse(target, status_code=303)
    response.delete_cookie(COOKIE)
    return response


def _problem(request: Request, status: int, detail: str) -> Response:
    view = View.of(request)
    if "hx-request" in request.headers:
        return view.part("problem_part.html", status=status, detail=detail, code=status)
    return _private(view.page("problem.html", status=status, detail=detail, code=status))
