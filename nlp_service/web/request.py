"""What handlers need of a request."""

from __future__ import annotations

from typing import Annotated, TypeVar, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from nlp_service.bootstrap import Service
from nlp_service.errors import InvalidMessage
from nlp_service.web.errors import InvalidBody

Body = TypeVar("Body", bound=BaseModel)


def service_of(request: Request) -> Service:
    return cast("Service", request.app.state.service)


ServiceDep = Annotated[Service, Depends(service_of)]


async def read_text(request: Request) -> bytes:
    """Return the body; raises InvalidMessage where it is empty or not UTF-8."""
    body = await request.body()
    if not body.strip():
        raise InvalidMessage("the body is empty: send a JSON object")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise InvalidMessage(f"the body is not UTF-8: byte {exc.start} is 0x{body[exc.start]:02x}") from exc
    return body


def parse_body(model: type[Body], body: bytes) -> Body:
    """Validate a JSON body; raises InvalidBody naming every field at fault."""
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise InvalidBody(exc.errors(include_url=False, include_input=False, include_context=False)) from exc
