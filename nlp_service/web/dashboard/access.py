"""Who looks at a page: the key in the browser's cookie, or this machine while no key exists.

The cookie holds the key or token itself, out of reach of scripts (HttpOnly) and of other sites (SameSite=Strict), so
that revoking a key ends every session with it at once and the service keeps no list of sessions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request

from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Principal, Scope, require
from nlp_service.errors import Forbidden
from nlp_service.web.request import service_of

COOKIE = "nlp_session"
SESSION_SECONDS = 12 * 3600


async def viewer_of(request: Request) -> Principal:
    """Return whoever looks; raises Unauthenticated, or Forbidden for a form sent from another site."""
    same_origin(request)
    service: Service = service_of(request)
    token = request.cookies.get(COOKIE)
    principal = await asyncio.to_thread(service.gate.principal, token) if token else service.gate.principal(None)
    request.state.principal = principal
    return principal


ViewerDep = Annotated[Principal, Depends(viewer_of)]


def shows(scope: Scope) -> Callable[[Principal], Awaitable[None]]:
    """Return a dependency that refuses a viewer without the scope."""

    async def check(principal: ViewerDep) -> None:
        require(principal, scope)

    check.scope = scope  # type: ignore[attr-defined]  # the tests read it off every route
    return check


def same_origin(request: Request) -> None:
    """Refuse a change that another site's page asks for in the viewer's name."""
    if request.method in {"GET", "HEAD"}:
        return
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")  # browsers leave it out over plain HTTP
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise Forbidden(f"this form was sent from {origin or 'another site'}: open the page here and send it again")
