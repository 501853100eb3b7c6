"""The application: routes, limits, errors and documentation put together."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager

from fastapi import FastAPI

from nlp_service import __version__
from nlp_service.adapters.logs import configure_logs
from nlp_service.bootstrap.service import Service, open_service
from nlp_service.settings import Settings
from nlp_service.web import dashboard, errors
from nlp_service.web.middleware import BodyLimit, RequestContext
from nlp_service.web.openapi import openapi
from nlp_service.web.routes import (
    classify,
    corrections,
    customers,
    deliveries,
    drift,
    health,
    inbound,
    intents,
    jobs,
    models,
    personal,
    policy,
    subscriptions,
    themes,
    training,
)
from nlp_service.web.schemas.problems import Problem

OpenService = Callable[[], AbstractContextManager[Service]]

_DESCRIPTION = """
Understands what customers say: intent, sentiment, emotion, flags, language, priority and department of each message,
with calibrated confidences and an honest “a person must look”. Errors are RFC 9457 problem documents.
"""


def create_app(settings: Settings, *, opened: Service | None = None) -> FastAPI:
    """Build the application; ``opened`` is a service that the caller opened and closes, else it opens its own."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        if opened is not None:
            app.state.service = opened
            yield
            await opened.batcher.close()
            return
        with open_service(settings) as service:
            app.state.service = service
            yield
            await service.batcher.close()

    app = FastAPI(
        title="nlp-service",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,  # the stock page loads its scripts from outside
        redoc_url=None,
        # Its spans carry the path, in which customers stand: ours are in adapters/traces.py.
        telemetry={"auto_configure": False, "tracing": False, "metrics": False, "logs": False},
        responses={422: {"model": Problem, "description": "The request cannot be used; the fields are named."}},
    )
    errors.install(app)
    for module in (
        classify,
        corrections,
        customers,
        themes,
        jobs,
        policy,
        models,
        drift,
        intents,
        training,
        personal,
        health,
        subscriptions,
        deliveries,
        inbound,
    ):
        app.include_router(module.router)
    dashboard.install(app)
    app.add_middleware(BodyLimit, upload_limit=settings.upload_mb << 20)
    app.add_middleware(RequestContext)
    app.openapi = lambda: openapi(app)  # type: ignore[method-assign]
    return app


def from_environment() -> FastAPI:
    """Factory for server processes that each open their own service."""
    settings = Settings()
    configure_logs(settings.log_level, settings.log_format)
    return create_app(settings)
