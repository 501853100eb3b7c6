"""The OpenAPI document: what FastAPI reads off the routes, and the bodies that a route reads by itself."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from nlp_service.wire.messages import BatchIn, MessageIn

_READ_BY_HAND = (MessageIn, BatchIn)  # POST /classify tells one from the other before it checks either


def openapi(app: FastAPI) -> dict[str, Any]:
    """Return the document, made once."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
        _, made = models_json_schema(
            [(model, "validation") for model in _READ_BY_HAND], ref_template="#/components/schemas/{model}"
        )
        document["components"]["schemas"].update(made["$defs"])
        app.openapi_schema = document
    return app.openapi_schema
