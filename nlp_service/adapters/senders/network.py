"""Connections to checked addresses only: a name is resolved once, every address is checked, and that one is used."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Sequence

import httpcore

from nlp_service.core.delivery.addresses import Address, Network, refusal


class ForbiddenAddress(Exception):
    """The guard does not let a connection out; the message says why."""


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """The network of an HTTP client; a name that has one bad address is refused whole, so that none is tried."""

    def __init__(self, networks: Sequence[Network], *, is_encrypted: bool) -> None:
        self._networks = networks
        self._is_encrypted = is_encrypted
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to the first checked address that answers."""
        addresses = await _resolve(host, port)
        for address in addresses:
            self._check(host, address)
        problem: Exception | None = None
        for address in addresses:
            try:
                stream = await self._inner.connect_tcp(str(address), port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as exc:
                problem = exc
                continue
            peer = stream.get_extra_info("server_addr")
            self._check(host, ipaddress.ip_address(str(peer[0]).partition("%")[0]))
            return stream
        raise problem or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Refuse: a delivery never goes to a socket file."""
        raise ForbiddenAddress(f"socket file {path} is not an endpoint")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def _check(self, host: str, address: Address) -> None:
        why = refusal(host, address, self._networks, is_encrypted=self._is_encrypted)
        if why is not None:
            raise ForbiddenAddress(why)


async def _resolve(host: str, port: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host} cannot be resolved: {exc}") from exc
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
