"""Signing in at the identity provider: out with a state that the browser keeps, back with a code."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from starlette.responses import RedirectResponse

from nlp_service.adapters.oidc_sign_in import OidcSignIn
from nlp_service.errors import NlpServiceError, NotFound, Unauthenticated
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.sign_in import keep_session, local_path, sign_in_form
from nlp_service.web.dashboard.view import View, ViewDep
from nlp_service.web.errors import status_of

router = APIRouter(prefix="/ui/sign-in/oidc", route_class=PageRoute)

BEGUN = "nlp_sign_in"  # cookie that remembers a sign-in which was begun
BEGUN_SECONDS = 600
_PATH = "/ui/sign-in/oidc"


@router.get("")
async def begin(request: Request, view: ViewDep, next: str = "/") -> Response:
    """Send the browser to the issuer."""
    begun = await asyncio.to_thread(_sign_in(view).begin, _redirect_uri(request, view))
    remembered = {"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "to": local_path(next)}
    response = RedirectResponse(begun.url, status_code=303)
    response.set_cookie(
        BEGUN,
        base64.urlsafe_b64encode(json.dumps(remembered).encode()).decode(),
        max_age=BEGUN_SECONDS,
        path=_PATH,
        httponly=True,
        samesite="lax",  # the issuer's page sends the browser back, so that strict would leave it out
        secure=request.url.scheme == "https",
    )
    return response


@router.get("/callback")
async def callback(
    request: Request,
    view: ViewDep,
    code: Annotated[str, Query(max_length=4000)] = "",
    state: Annotated[str, Query(max_length=500)] = "",
    error: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Take the issuer's answer and begin a session; the page that is shown leads on.

    It is a page and no redirect: a browser that comes from another site would not send the new, strict cookie along.
    """
    sign_in = _sign_in(view)
    try:
        remembered = _remembered(request, state)
        if error or not code:
            raise Unauthenticated(f"the issuer answers: {error or 'no code'}")
        token = await asyncio.to_thread(
            sign_in.finish,
            code=code,
            verifier=remembered["verifier"],
            nonce=remembered["nonce"],
            redirect_uri=_redirect_uri(request, view),
        )
    except NlpServiceError as exc:
        response = sign_in_form(view, to="/", refused=str(exc), code=status_of(exc)[0])
    else:
        response = view.page("signed_in.html", to=local_path(remembered["to"]))
        keep_session(request, response, token)
    response.delete_cookie(BEGUN, path=_PATH)
    return response


def _sign_in(view: View) -> OidcSignIn:
    if view.service.sign_in is None:
        raise NotFound("this service is no client of an identity provider: set NLP_SERVICE_OIDC_CLIENT_ID")
    return view.service.sign_in


def _redirect_uri(request: Request, view: View) -> str:
    public = view.service.settings.public_url or str(request.base_url)
    return f"{public.rstrip('/')}{_PATH}/callback"


def _remembered(request: Request, state: str) -> dict[str, str]:
    """Return what the browser remembers of the sign-in that this answers; raises Unauthenticated for any other."""
    try:
        found = json.loads(base64.urlsafe_b64decode(request.cookies.get(BEGUN, "")))
        known = {name: str(found[name]) for name in ("state", "nonce", "verifier", "to")}
    except (ValueError, KeyError, TypeError):
        known = {"state": ""}
    if not state or not hmac.compare_digest(known["state"].encode(), state.encode()):
        raise Unauthenticated("this answer belongs to no sign-in that was begun in this browser: begin again")
    return known
