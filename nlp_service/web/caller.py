"""From a token to whoever makes a request: the one way for programs and for pages."""

from __future__ import annotations

import asyncio

from fastapi import Request

from nlp_service.core.access import Principal
from nlp_service.web.origin import of_this_machine
from nlp_service.web.request import service_of


async def caller(request: Request, token: str | None) -> Principal:
    """Return whom a token stands for, without one this machine while no key exists, and remember it for the log.

    Raises:
        Unauthenticated: a token is needed and missing, or cannot be used.
        Overloaded: more requests than the caller's limit.
        Forbidden: no token, and the request comes by another site's page or name.
    """
    gate = service_of(request).gate
    if not token:
        of_this_machine(request)
    principal = await asyncio.to_thread(gate.principal, token) if token else gate.principal(None)
    request.state.principal = principal
    return principal
