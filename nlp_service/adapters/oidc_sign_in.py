"""Sign-in through an OpenID Connect issuer: authorization code with PKCE (OIDC Core 1.0, RFC 6749, RFC 7636)."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from nlp_service.adapters.oidc import Oidc
from nlp_service.errors import Unauthenticated, Unavailable

_KNOWN_SECONDS = 600.0  # that the issuer's addresses are remembered
_TIMEOUT = 10.0  # seconds
MOST_TOKEN = 3800  # bytes; browsers keep cookies of 4096 with their name and attributes


@dataclass(frozen=True, kw_only=True)
class Begun:
    """A sign-in that was begun; what is remembered must come back with the answer."""

    url: str  # where the browser goes
    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)


class OidcSignIn:
    """Sends browsers to one issuer and turns what they come back with into a token that the gate accepts."""

    def __init__(self, oidc: Oidc, *, issuer: str, client_id: str, client_secret: str | None, scopes: str) -> None:
        self._oidc = oidc
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._client_secret = client_secret
        self._scopes = scopes
        self._lock = threading.Lock()
        self._addresses: Mapping[str, Any] = {}
        self._fetched = float("-inf")

    def begin(self, redirect_uri: str) -> Begun:
        """Return where to send the browser; raises Unavailable where the issuer does not answer."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": self._scopes,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        endpoint = self._address("authorization_endpoint")
        url = f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"
        return Begun(url=url, state=state, nonce=nonce, verifier=verifier)

    def finish(self, *, code: str, verifier: str, nonce: str, redirect_uri: str) -> str:
        """Exchange a code for a token to keep.

        Raises:
            Unauthenticated: the issuer refuses the code, its answer is not for this sign-in, or no token in it is
                made for this service.
            Unavailable: the issuer does not answer.
        """
        answer = self._exchange(code, verifier, redirect_uri)
        identity = answer.get("id_token")
        if not isinstance(identity, str):
            raise Unauthenticated("the issuer gave no ID token: the scope openid must be among oidc_scopes")
        self._oidc.confirm(identity, client_id=self._client_id, nonce=nonce)
        refused: Unauthenticated | None = None
        for token in (answer.get("access_token"), identity):
            if not isinstance(token, str) or token.count(".") != 2:
                continue
            try:
                self._oidc.authenticate(token)
            except Unauthenticated as exc:
                refused = refused or exc
                continue
            if len(token) > MOST_TOKEN:
                raise Unauthenticated(f"the token has {len(token)} bytes, a cookie holds {MOST_TOKEN}: map fewer")
            return token
        raise refused or Unauthenticated("the issuer gave no token that is a JWT: ask for one made for this service")

    def _exchange(self, code: str, verifier: str, redirect_uri: str) -> Mapping[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "client_id": self._client_id,
            "code_verifier": verifier,
        }
        auth = None
        if self._client_secret is not None:
            auth = httpx.BasicAuth(quote(self._client_id, safe=""), quote(self._client_secret, safe=""))
        endpoint = self._address("token_endpoint")
        try:
            answer = httpx.post(endpoint, data=form, auth=auth, timeout=_TIMEOUT, follow_redirects=False)
            document = answer.json()
        except (httpx.HTTPError, ValueError) as exc:
            raise Unavailable(f"the issuer's token endpoint {endpoint} does not answer: {exc}", retry_after=5) from exc
        if answer.status_code != 200 or not isinstance(document, dict):
            said = document.get("error", "") if isinstance(document, dict) else ""
            raise Unauthenticated(f"the issuer refuses the sign-in: {answer.status_code} {str(said)[:200]}")
        return document

    def _address(self, name: str) -> str:
        """Return an endpoint from the issuer's published configuration (OIDC Discovery 1.0)."""
        with self._lock:
            if time.monotonic() - self._fetched > _KNOWN_SECONDS:
                self._addresses, self._fetched = self._published(), time.monotonic()
            address = str(self._addresses.get(name, ""))
        scheme = self._issuer.partition(":")[0]
        if not address.startswith(("https://", f"{scheme}://")):
            raise Unavailable(f"the issuer {self._issuer} names no usable {name}", retry_after=60)
        return address

    def _published(self) -> Mapping[str, Any]:
        where = f"{self._issuer}/.well-known/openid-configuration"
        try:
            found = httpx.get(where, timeout=_TIMEOUT, follow_redirects=False).raise_for_status().json()
        except (httpx.HTTPError, ValueError) as exc:
            raise Unavailable(f"the issuer's configuration {where} cannot be read: {exc}", retry_after=5) from exc
        if not isinstance(found, dict) or str(found.get("issuer", "")).rstrip("/") != self._issuer:
            raise Unavailable(f"{where} speaks for another issuer than {self._issuer}", retry_after=60)
        return found


def challenge(verifier: str) -> str:
    """Return the S256 code challenge of a verifier (RFC 7636, 4.2)."""
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
