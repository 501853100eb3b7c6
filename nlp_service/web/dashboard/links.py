"""Addresses that people and programs share: a browser that opens one is shown the page."""

from __future__ import annotations

import re

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

_SHARED = re.compile(r"/themes/[A-Za-z0-9_-]{1,80}")  # the links of notifications


class BrowserLinks:
    """Sends browsers from a resource of the API to its page; programs ask for JSON and get it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            path: str = scope["path"]
            wants_page = "text/html" in Headers(scope=scope).get("accept", "")
            if wants_page and _SHARED.fullmatch(path):
                await RedirectResponse(f"/ui{path}", status_code=303)(scope, receive, send)
                return
        await self._app(scope, receive, send)
