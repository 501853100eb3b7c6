"""HTTP towards endpoints that may hang, lie or flood: bounded in time and size, without redirects or proxies."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import httpcore

from nlp_service.adapters.senders.network import ForbiddenAddress, GuardedNetwork
from nlp_service.core.delivery.addresses import Network
from nlp_service.core.delivery.formats import HOOKS, HttpRequest
from nlp_service.core.delivery.outcome import KEPT_ANSWER, Outcome, read_answer
from nlp_service.core.delivery.records import Parcel

MOST_ANSWER = 64 * 1024  # bytes that are read of an answer
IDLE_SECONDS = 15.0  # an unused connection is kept
CONNECTIONS = 64


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]  # names in lower case
    body: bytes  # at most MOST_ANSWER


class Unreached(Exception):
    """No answer came; ``outcome`` says why."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.detail)
        self.outcome = outcome


class HttpClient:
    """Sends requests within ``timeout`` seconds each, all in all; belongs to one event loop."""

    def __init__(
        self, *, networks: Sequence[Network] = (), timeout: float = 20.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self._timeout = timeout
        context = tls or ssl.create_default_context()
        options = {"keepalive_expiry": IDLE_SECONDS, "max_connections": CONNECTIONS, "retries": 0}
        self._pools = {
            scheme: httpcore.AsyncConnectionPool(
                ssl_context=context,
                network_backend=GuardedNetwork(networks, is_encrypted=scheme == "https"),
                **options,  # type: ignore[arg-type]
            )
            for scheme in ("http", "https")
        }

    async def exchange(self, request: HttpRequest) -> Answer:
        """Return the answer, whatever its status; raises Unreached."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._exchange(request)
        except ForbiddenAddress as exc:
            raise Unreached(Outcome(kind="forbidden", detail=str(exc))) from exc
        except (TimeoutError, httpcore.TimeoutException) as exc:
            detail = f"no answer within {self._timeout:g} seconds"
            raise Unreached(Outcome(kind="unreachable", detail=detail)) from exc
        except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError, ValueError) as exc:
            raise Unreached(Outcome(kind="unreachable", detail=_detail(exc))) from exc

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    async def _exchange(self, request: HttpRequest) -> Answer:
        scheme = request.url.partition(":")[0].lower()
        pool = self._pools.get(scheme)
        if pool is None:
            raise ForbiddenAddress(f"scheme {scheme!r} is not http or https")
        headers = [(name.encode(), value.encode()) for name, value in request.headers.items()]
        each = dict.fromkeys(("connect", "read", "write", "pool"), self._timeout)
        async with pool.stream(
            request.method, request.url, headers=headers, content=request.body, extensions={"timeout": each}
        ) as response:
            body = b""
            async for chunk in response.aiter_stream():
                body += chunk
                if len(body) >= MOST_ANSWER:
                    break
        found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers}
        return Answer(status=response.status, headers=found, body=body[:MOST_ANSWER])


class HookSender:
    """ports.Sender for every channel that is one POST to a hook."""

    def __init__(self, client: HttpClient, *, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._clock = clock

    async def send(self, parcel: Parcel) -> Outcome:
        """Compose the channel's message and read its answer."""
        channel = parcel.subscription.channel
        try:
            answer = await self._client.exchange(HOOKS[channel](parcel.notice, parcel.target))
        except Unreached as exc:
            return exc.outcome
        return read_answer(channel, answer.status, answer.headers, answer.body, now=self._clock())


def _detail(exc: BaseException) -> str:
    return (f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__)[:KEPT_ANSWER]
