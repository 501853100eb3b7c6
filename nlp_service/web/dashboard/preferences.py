"""Language and colours, kept in the browser."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Response
from starlette.responses import RedirectResponse

from nlp_service.web.dashboard.pages import PageRoute
from nlp_service.web.dashboard.sign_in import local_path
from nlp_service.web.dashboard.view import LANGUAGE_COOKIE, SCHEME_COOKIE

router = APIRouter(prefix="/ui/preferences", route_class=PageRoute)
_YEAR = 365 * 24 * 3600


@router.post("")
def keep(
    to: Annotated[str, Form(max_length=2000)] = "/",
    language: Annotated[Literal["zh", "en"] | None, Form()] = None,
    scheme: Annotated[Literal["auto", "light", "dark"] | None, Form()] = None,
) -> Response:
    """Remember a choice and go back to the page it was made on."""
    response = RedirectResponse(local_path(to), status_code=303)
    for cookie, value in ((LANGUAGE_COOKIE, language), (SCHEME_COOKIE, scheme)):
        if value is not None:
            response.set_cookie(cookie, value, max_age=_YEAR, httponly=True, samesite="lax")
    return response
