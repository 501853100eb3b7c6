"""POST /classify."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response

from nlp_service.core.access import Scope
from nlp_service.core.answer import answer
from nlp_service.core.labelling import Labelling
from nlp_service.errors import InvalidMessage
from nlp_service.flows.classify import Classified
from nlp_service.flows.explain import as_data
from nlp_service.web.access import PrincipalDep, needs
from nlp_service.web.own_themes import labellings_seen
from nlp_service.web.request import ServiceDep, parse_body, read_text, while_connected
from nlp_service.web.schemas.problems import Problem
from nlp_service.wire.answers import AnswerOut, BatchOut
from nlp_service.wire.messages import EXAMPLE_MESSAGE, BatchIn, MessageIn

router = APIRouter(tags=["classify"], dependencies=[Depends(needs(Scope.CLASSIFY))])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "anyOf": [
                        {"$ref": "#/components/schemas/MessageIn"},
                        {"$ref": "#/components/schemas/BatchIn"},
                    ]
                },
                "examples": {
                    "one": {"summary": "One message", "value": EXAMPLE_MESSAGE},
                    "batch": {"summary": "Several", "value": {"messages": [EXAMPLE_MESSAGE, {"text": "谢谢"}]}},
                },
            }
        },
    }
}


@router.post(
    "/classify",
    summary="Label one message or up to 256",
    response_model=AnswerOut | BatchOut,
    responses={
        400: {"model": Problem, "description": "Not JSON, or not UTF-8."},
        413: {"model": Problem, "description": "The body is too large."},
        429: {"model": Problem, "description": "The queue is full: wait for Retry-After seconds."},
        503: {"model": Problem, "description": "The answer could not be stored: send again under the same ids."},
    },
    openapi_extra=_BODY,
)
async def classify(
    request: Request,
    service: ServiceDep,
    principal: PrincipalDep,
    explain: Annotated[bool, Query(description="Also say which words carried the labels; one message only.")] = False,
) -> Response:
    """Answer one object with one object, or `{"messages": […]}` with `{"results": […]}` in the same order.

    A key of some departments is told of no theme that does not concern them, and of no trait of the customer: these
    are read off what was said to all departments.
    """
    body = await read_text(request)
    batch = parse_body(BatchIn, body) if _is_batch(body) else None
    messages = batch.messages if batch else [parse_body(MessageIn, body)]
    if explain and batch:
        raise InvalidMessage("explain=true takes one message, not a batch", field="explain")
    given = [message.to_message() for message in messages]
    classified = await while_connected(request, service.classify(given))
    service.metrics.labelled(classified.labellings)
    service.metrics.stages(classified.stages)
    shown: Sequence[Labelling] = classified.labellings
    if principal.departments is not None:
        shown = await asyncio.to_thread(labellings_seen, service, principal, shown)
    answers = [answer(labelling, classified.taxonomy) for labelling in shown]
    if explain:
        answers[0]["explanation"] = as_data(await service.explain(given[0]))
    content = orjson.dumps({"results": answers} if batch else answers[0])
    return Response(content, media_type="application/json", headers=_headers(classified))


def _is_batch(body: bytes) -> bool:
    """Tell a batch from a message by its key, so that faults are reported against the right schema."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return isinstance(parsed, dict) and "messages" in parsed


def _headers(classified: Classified) -> dict[str, str]:
    timing = ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in classified.stages.items())
    return {"Server-Timing": timing, "X-Model-Version": classified.model.identity.version}
