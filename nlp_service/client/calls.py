"""The calls. Ids are given before the first try, so that a retry is answered again and stored once."""

from __future__ import annotations

import asyncio
import random
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import httpx

from nlp_service.client.errors import ServiceRefusedError, ServiceUnreachableError
from nlp_service.client.retry import Outcome, wait_before_retry

MAX_BATCH = 256
Answer = dict[str, Any]
MessageFields = Mapping[str, Any]


class Client:
    """Blocking calls.

    >>> with Client("http://127.0.0.1:8080") as client:  # doctest: +SKIP
    ...     client.classify("快递三天没动了")["intent"]["label"]
    'delivery_delay'
    """

    def __init__(self, url: str, *, key: str | None = None, retries: int = 5, timeout: float = 30.0) -> None:
        self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout)
        self._retries = retries

    def classify(self, text: str, **fields: Any) -> Answer:
        """Label one message; ``fields`` are those of the API (id, context, channel, customer_id, …)."""
        answer: Answer = self._send("/classify", _identified({"text": text, **fields}))
        return answer

    def classify_many(self, messages: Iterable[MessageFields]) -> list[Answer]:
        """Label any number of messages, 256 a request; answers in order."""
        answers: list[Answer] = []
        for batch in _batches([_identified(message) for message in messages]):
            answers.extend(self._send("/classify", {"messages": batch})["results"])
        return answers

    def customer(self, customer_id: str) -> Answer:
        """Return a customer's tags and recent messages."""
        answer: Answer = self._send(f"/customers/{customer_id}", None)
        return answer

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _send(self, path: str, body: Any) -> Any:
        tried = 0
        while True:
            tried += 1
            try:
                response = self._http.request("GET" if body is None else "POST", path, json=body)
            except httpx.TransportError as exc:
                outcome, failure = Outcome(status=None), f"{type(exc).__name__}: {exc}"
            else:
                if response.is_success:
                    return response.json()
                outcome, failure = _outcome(response), f"status {response.status_code}"
                _raise_if_final(response, outcome)
            wait = wait_before_retry(outcome, tried=tried, retries=self._retries, jitter=random.random())
            if wait is None:
                raise ServiceUnreachableError(f"{path} failed {tried} times, last with {failure}")
            time.sleep(wait)


class AsyncClient:
    """The same calls for asyncio."""

    def __init__(self, url: str, *, key: str | None = None, retries: int = 5, timeout: float = 30.0) -> None:
        self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout)
        self._retries = retries

    async def classify(self, text: str, **fields: Any) -> Answer:
        """Label one message; ``fields`` are those of the API (id, context, channel, customer_id, …)."""
        answer: Answer = await self._send("/classify", _identified({"text": text, **fields}))
        return answer

    async def classify_many(self, messages: Iterable[MessageFields]) -> list[Answer]:
        """Label any number of messages, 256 a request; answers in order."""
        answers: list[Answer] = []
        for batch in _batches([_identified(message) for message in messages]):
            answers.extend((await self._send("/classify", {"messages": batch}))["results"])
        return answers

    async def customer(self, customer_id: str) -> Answer:
        """Return a customer's tags and recent messages."""
        answer: Answer = await self._send(f"/customers/{customer_id}", None)
        return answer

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _send(self, path: str, body: Any) -> Any:
        tried = 0
        while True:
            tried += 1
            try:
                response = await self._http.request("GET" if body is None else "POST", path, json=body)
            except httpx.TransportError as exc:
                outcome, failure = Outcome(status=None), f"{type(exc).__name__}: {exc}"
            else:
                if response.is_success:
                    return response.json()
                outcome, failure = _outcome(response), f"status {response.status_code}"
                _raise_if_final(response, outcome)
            wait = wait_before_retry(outcome, tried=tried, retries=self._retries, jitter=random.random())
            if wait is None:
                raise ServiceUnreachableError(f"{path} failed {tried} times, last with {failure}")
            await asyncio.sleep(wait)


def _headers(key: str | None) -> dict[str, str]:
    return {} if key is None else {"Authorization": f"Bearer {key}"}


def _identified(message: MessageFields) -> dict[str, Any]:
    return {"id": f"msg_{uuid.uuid4().hex}", **message}


def _batches(messages: Sequence[dict[str, Any]]) -> Iterable[Sequence[dict[str, Any]]]:
    return (messages[start : start + MAX_BATCH] for start in range(0, len(messages), MAX_BATCH))


def _outcome(response: httpx.Response) -> Outcome:
    return Outcome(status=response.status_code, retry_after=response.headers.get("Retry-After"))


def _raise_if_final(response: httpx.Response, outcome: Outcome) -> None:
    """Raise the service's problem where trying again cannot help."""
    if wait_before_retry(outcome, tried=1, retries=1, jitter=0.0) is not None:
        return
    try:
        problem = response.json()
    except ValueError:
        problem = {"status": response.status_code, "title": "unexpected answer", "detail": response.text[:200]}
    raise ServiceRefusedError(problem)
