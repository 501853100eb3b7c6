"""Who makes a request: an API key, or this machine while no key exists. Every route says which scope it needs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from nlp_service.core.access import Principal, Scope, require
from nlp_service.web.caller import caller

_bearer = HTTPBearer(auto_error=False, scheme_name="Bearer", description="An API key (nls_…) or an OIDC access token.")
_header = APIKeyHeader(name="X-API-Key", auto_error=False, scheme_name="X-API-Key", description="An API key (nls_…).")


async def principal_of(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
    header: Annotated[str | None, Security(_header)] = None,
) -> Principal:
    """Return whoever makes the request; raises Unauthenticated, Overloaded, or Forbidden for another site's page."""
    return await caller(request, bearer.credentials if bearer is not None else header)


PrincipalDep = Annotated[Principal, Depends(principal_of)]


def needs(scope: Scope) -> Callable[[Principal], Awaitable[None]]:
    """Return a dependency that refuses whoever lacks the scope: ``dependencies=[Depends(needs(Scope.READ))]``."""

    async def check(principal: PrincipalDep) -> None:
        require(principal, scope)

    check.scope = scope  # type: ignore[attr-defined]  # the tests read it off every route
    return check
