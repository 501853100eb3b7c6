"""Puts the pages and their files into the application."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from nlp_service.web.dashboard import (
    deliveries,
    jobs,
    links,
    models,
    overview,
    policy,
    preferences,
    review,
    sign_in,
    sign_in_oidc,
    subscriptions,
    themes,
    try_it,
)

STATIC = Path(__file__).parent / "static"
PAGES = (
    sign_in, sign_in_oidc, preferences, overview, themes, try_it, review, models, policy, subscriptions, deliveries,
    jobs,
)  # fmt: skip


class CachedFiles:
    """The files of this folder; a page asks for them by version, so they may be kept for a year."""

    def __init__(self, folder: Path) -> None:
        self._files = StaticFiles(directory=folder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_cached(message: object) -> None:
            if isinstance(message, dict) and message["type"] == "http.response.start" and message["status"] == 200:
                message["headers"].append((b"cache-control", b"public, max-age=31536000, immutable"))
            await send(message)  # type: ignore[arg-type]

        await self._files(scope, receive, send_cached)


def install(app: FastAPI) -> None:
    """Add every page under /ui, the front door / and the files under /static."""
    for module in PAGES:
        app.include_router(module.router, include_in_schema=False)
    files: ASGIApp = CachedFiles(STATIC)
    app.mount("/static", files, name="static")
    app.add_middleware(links.BrowserLinks)
