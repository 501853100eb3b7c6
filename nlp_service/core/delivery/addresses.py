"""Which network addresses a delivery may connect to: the guard against requests forged through the service."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from nlp_service.errors import ConfigurationError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRANSLATED = (  # IPv6 that a router turns into some IPv4 address, which ipaddress calls global
    ipaddress.IPv6Network("64:ff9b::/96"),  # RFC 6052, NAT64
    ipaddress.IPv6Network("64:ff9b:1::/48"),  # RFC 8215
    ipaddress.IPv6Network("2002::/16"),  # RFC 3056, 6to4
    ipaddress.IPv6Network("2001::/32"),  # RFC 4380, Teredo
)


def parse_networks(text: str) -> tuple[Network, ...]:
    """Read networks separated by commas; raises ConfigurationError naming the wrong one."""
    networks: list[Network] = []
    for part in (part.strip() for part in text.split(",")):
        if not part:
            continue
        try:
            networks.append(ipaddress.ip_network(part))
        except ValueError as exc:
            raise ConfigurationError(f"network {part!r} is not of the form 10.0.0.0/8: {exc}") from exc
    return tuple(networks)


def is_allowed_privately(address: Address, networks: Sequence[Network]) -> bool:
    """Tell whether the operator has opened a network that holds the address."""
    plain = _unmapped(address)
    return any(plain.version == network.version and plain in network for network in networks)


def refusal(host: str, address: Address, networks: Sequence[Network], *, is_encrypted: bool) -> str | None:
    """Return why nothing is sent to an address, None where it is fine.

    Public addresses are fine over https alone; all others only where the operator opened their network.
    """
    if is_allowed_privately(address, networks):
        return None
    plain = _unmapped(address)
    is_translated = isinstance(plain, ipaddress.IPv6Address) and any(plain in network for network in _TRANSLATED)
    if is_translated or plain.is_multicast or not plain.is_global:
        return (
            f"{host} leads to {address}, which is not a public address: nothing is sent there unless the operator "
            "opens its network with NLP_SERVICE_DELIVERY_NETWORKS"
        )
    if not is_encrypted:
        return f"{host} is outside the operator's networks: use https"
    return None


def _unmapped(address: Address) -> Address:
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address
