"""A caller that goes away stops the work that was begun for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fastapi import Request
from starlette.exceptions import HTTPException

from nlp_service.web.request import while_connected


class Caller:
    """The receiving side of a request whose body was read; ``leave`` hangs up."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.request = Request({"type": "http", "headers": []}, receive=self._receive)

    def leave(self) -> None:
        self.left.set()

    async def _receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}


def test_the_result_is_returned_while_the_caller_waits() -> None:
    async def run() -> int:
        return await while_connected(Caller().request, asyncio.sleep(0.001, 7))

    assert asyncio.run(run()) == 7


def test_an_error_of_the_work_is_raised() -> None:
    async def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        await while_connected(Caller().request, fail())

    with pytest.raises(ValueError, match="no"):
        asyncio.run(run())


def test_the_work_is_cancelled_when_the_caller_goes() -> None:
    stopped: list[bool] = []

    async def work(begun: asyncio.Event) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            stopped.append(True)
            raise

    async def run() -> None:
        caller, begun = Caller(), asyncio.Event()
        handler = asyncio.create_task(while_connected(caller.request, work(begun)))
        await begun.wait()
        caller.leave()
        with pytest.raises(HTTPException) as raised:
            await handler
        assert raised.value.status_code == 499
        await asyncio.sleep(0)

    asyncio.run(run())
    assert stopped == [True]
