"""Who looks at a page: the key in the browser's cookie, or this machine while no key exists.

The cookie holds the key or token itself, out of reach of scripts (HttpOnly) and of other sites (SameSite=Strict), so
that revoking a key ends every session with it at once and the service keeps no list of sessions.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request

from nlp_service.core.access import Principal, Scope, require
from nlp_service.web.caller import caller
from nlp_service.web.origin import same_origin

__all__ = ["COOKIE", "SESSION_SECONDS", "ViewerDep", "same_origin", "shows", "viewer_of"]
COOKIE = "nlp_session"
SESSION_SECONDS = 12 * 3600


async def viewer_of(request: Request) -> Principal:
    """Return whoever looks; raises Unauthenticated, or Forbidden for a form sent from another site."""
    same_origin(request)
    return await caller(request, request.cookies.get(COOKIE))


ViewerDep = Annotated[Principal, Depends(viewer_of)]


def shows(scope: Scope) -> Callable[[Principal], Awaitable[None]]:
    """Return a dependency that refuses a viewer without the scope."""

    async def check(principal: ViewerDep) -> None:
        require(principal, scope)

    check.scope = scope  # type: ignore[attr-defined]  # the tests read it off every route
    return check
