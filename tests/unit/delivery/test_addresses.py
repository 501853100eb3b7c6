"""The guard: which addresses a delivery may reach."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nlp_service.core.delivery.addresses import parse_networks, refusal
from nlp_service.errors import ConfigurationError

PRIVATE = [
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "::1", "::", "fd00::1", "fe80::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001::1", "198.18.0.1",
    "192.0.2.1", "2001:db8::1",
]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_is_refused_with_the_remedy(address: str) -> None:
    why = refusal("host.example", ipaddress.ip_address(address), (), is_encrypted=True)
    assert why is not None
    assert address in why or "host.example" in why
    assert "NLP_SERVICE_DELIVERY_NETWORKS" in why


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_public_addresses_are_fine_over_https_alone(address: str) -> None:
    found = ipaddress.ip_address(address)
    assert refusal("h", found, (), is_encrypted=True) is None
    assert "https" in (refusal("h", found, (), is_encrypted=False) or "")


def test_the_operator_opens_networks_one_by_one() -> None:
    networks = parse_networks("10.1.0.0/16, 127.0.0.0/8,fd00::/8")
    for address in ("10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "fd00::7"):
        assert refusal("h", ipaddress.ip_address(address), networks, is_encrypted=False) is None
    for address in ("10.2.0.1", "192.168.0.1", "::1"):
        assert refusal("h", ipaddress.ip_address(address), networks, is_encrypted=True) is not None


@given(st.ip_addresses(v=4))
def test_an_address_hidden_in_ipv6_is_judged_as_the_one_it_is(address: ipaddress.IPv4Address) -> None:
    plain = refusal("h", address, (), is_encrypted=True)
    mapped = ipaddress.IPv6Address(f"::ffff:{address}")
    assert (refusal("h", mapped, (), is_encrypted=True) is None) == (plain is None)
    for hidden in (int(ipaddress.IPv6Address("64:ff9b::")) | int(address), 0x2002 << 112 | int(address) << 80):
        assert refusal("h", ipaddress.IPv6Address(hidden), (), is_encrypted=True) is not None


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "localhost", "10.0.0.0/8;127.0.0.0/8"])
def test_a_malformed_network_is_named(wrong: str) -> None:
    with pytest.raises(ConfigurationError, match=r"10\.0\.0\.0/8"):
        parse_networks(wrong)
