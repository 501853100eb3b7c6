"""Signing in with an API key or an access token, and out again."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from starlette.responses import RedirectResponse

from nlp_service.core.access import decide
from nlp_service.errors import AccessError, Forbidden
from nlp_service.web.dashboard.access import COOKIE, SESSION_SECONDS, ViewerDep, same_origin
from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.view import NAVIGATION, View, ViewDep

router = APIRouter(route_class=PageRoute)


@router.get("/")
def front_door(view: ViewDep, viewer: ViewerDep) -> Response:
    """Lead to the first page that the viewer may open."""
    first = next((address for _, address, scope in NAVIGATION if decide(viewer, scope).allowed), None)
    if first is None:
        raise Forbidden(view.t("sign_in.nothing", who=viewer.id))
    return RedirectResponse(first, status_code=303)


@router.get("/ui/sign-in")
def form(view: ViewDep, next: str = "/") -> Response:  # the name in the address
    return sign_in_form(view, to=next)


@router.post("/ui/sign-in", dependencies=[Depends(same_origin)])
async def sign_in(
    request: Request,
    view: ViewDep,
    token: Annotated[str, Form(max_length=20_000)],
    to: Annotated[str, Form(max_length=2000)] = "/",
) -> Response:
    """Check a key and keep it in the browser's cookie."""
    given = token.strip()
    try:
        await asyncio.to_thread(view.service.gate.principal, given)
    except AccessError as exc:
        return sign_in_form(view, to=to, refused=str(exc), code=401)
    response = RedirectResponse(local_path(to), status_code=303)
    keep_session(request, response, given)
    return response


@router.post("/ui/sign-out", dependencies=[Depends(same_origin)])
def sign_out() -> Response:
    response = RedirectResponse("/ui/sign-in", status_code=303)
    response.delete_cookie(COOKIE)
    return response


def keep_session(request: Request, response: Response, token: str) -> None:
    """Keep a token that was checked in the browser's cookie."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=SESSION_SECONDS,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def sign_in_form(view: View, *, to: str, refused: str | None = None, code: int = 200) -> Response:
    issuer = view.service.settings.oidc_issuer if view.service.sign_in is not None else None
    return view.page("sign_in.html", to=local_path(to), refused=refused, issuer=issuer, code=code)


def local_path(wanted: str) -> str:
    """Return an address of this site, the front door for any other: a link must not lead elsewhere."""
    plain = wanted.startswith("/") and not wanted.startswith("//") and not set(wanted) & set("\\\r\n\t")
    return wanted if plain else "/"
