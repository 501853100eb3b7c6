"""What handlers need of a request."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException

from nlp_service.bootstrap.service import Service
from nlp_service.errors import InvalidMessage
from nlp_service.web.errors import InvalidBody

Body = TypeVar("Body", bound=BaseModel)
Result = TypeVar("Result")
CLIENT_GONE = 499  # seen in metrics and logs alone: nobody is there to read it


def service_of(request: Request) -> Service:
    return cast("Service", request.app.state.service)


async def _service(request: Request) -> Service:
    """As service_of: FastAPI would give a plain function a thread of its own on every request."""
    return service_of(request)


ServiceDep = Annotated[Service, Depends(_service)]


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


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Await ``work``, but cancel it when the caller goes away first; the body must have been read.

    Raises:
        HTTPException: 499, the caller has gone.
    """
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HTTPException(CLIENT_GONE, "the caller has gone")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
