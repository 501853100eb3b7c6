"""Where a browser's request comes from: another site must not act in the name of whoever sits here."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from fastapi import Request

from nlp_service.errors import Forbidden


def same_origin(request: Request) -> None:
    """Refuse a change that another site's page asks for in the viewer's name; raises Forbidden."""
    if request.method in {"GET", "HEAD"}:
        return
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site")  # browsers leave it out over plain HTTP
    if site is not None:
        foreign = site not in {"same-origin", "none"}
    else:
        foreign = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if foreign:
        raise Forbidden(f"this form was sent from {origin or 'another site'}: open the page here and send it again")


def of_this_machine(request: Request) -> None:
    """Refuse who comes without a key by another name than this machine's; raises Forbidden.

    While no key exists, whoever reaches the loopback address is let in. A foreign page reaches it too, by a name that
    it lets point here (DNS rebinding), and so does everybody through a proxy: both show in the Host header.
    """
    same_origin(request)
    name = urlsplit(f"//{request.headers.get('host', '')}").hostname or ""
    if name and "." not in name.removesuffix(".localhost") and ":" not in name:
        return  # localhost, or another name of the local network: no stranger can let it point somewhere
    try:
        local = ipaddress.ip_address(name).is_loopback
    except ValueError:
        local = False
    if not local:
        raise Forbidden(
            f"without a key this service answers to localhost alone, not to {name[:100]!r}: "
            "make one with `nlp-service keys create --name admin --scope admin` and send it"
        )
