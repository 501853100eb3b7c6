"""OAuth2/OIDC access tokens: signature by the issuer's published keys, issuer, audience, time, scopes from claims."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Mapping
from typing import Any

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from nlp_service.core.access import Principal, Scope
from nlp_service.errors import Unauthenticated, Unavailable

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")  # never HMAC: the keys are public
_KEYS_SECONDS = 600.0  # that published keys are remembered
_LEAST_SECONDS = 10.0  # between two fetches for a key id that is not known
_LEEWAY = 60  # seconds that two clocks may differ


class Oidc:
    """Checks tokens of one issuer. Scopes are read off `scope` (by space) or `scp`, departments off a claim."""

    def __init__(self, *, issuer: str, audience: str, jwks_url: str, departments_claim: str = "departments") -> None:
        self._issuer = issuer
        self._audience = audience
        self._url = jwks_url
        self._departments_claim = departments_claim
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fetched = float("-inf")

    def authenticate(self, token: str) -> Principal:
        """Return whom a token stands for.

        Raises:
            Unauthenticated: forged, expired, or made by or for somebody else; the message says which.
            Unavailable: the issuer's keys cannot be fetched.
        """
        claims = self._claims(token)
        self._check(claims, self._audience)
        return _principal(claims, self._departments_claim)

    def confirm(self, identity: str, *, client_id: str, nonce: str) -> None:
        """Check that an ID token was made for one sign-in of this client.

        Raises:
            Unauthenticated: forged, expired, for somebody else, or an answer to another sign-in.
            Unavailable: the issuer's keys cannot be fetched.
        """
        claims = self._claims(identity)
        self._check(claims, client_id)
        if not hmac.compare_digest(str(claims.get("nonce", "")), nonce):
            raise Unauthenticated("the ID token answers another sign-in: begin again")

    def _claims(self, token: str) -> Mapping[str, Any]:
        try:
            return self._decode(token, self._published())
        except (JoseError, ValueError) as exc:
            if time.monotonic() - self._fetched < _LEAST_SECONDS:
                raise Unauthenticated(f"the access token cannot be used: {exc}") from exc
            return self._again(token)

    def _again(self, token: str) -> Mapping[str, Any]:
        """Decode with keys fetched anew, as the issuer may have rotated them."""
        try:
            return self._decode(token, self._published(anew=True))
        except (JoseError, ValueError) as exc:
            raise Unauthenticated(f"the access token cannot be used: {exc}") from exc

    def _decode(self, token: str, keys: KeySet) -> Mapping[str, Any]:
        return jwt.decode(token, keys, algorithms=list(ALGORITHMS)).claims

    def _check(self, claims: Mapping[str, Any], audience: str) -> None:
        registry = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            registry.validate(dict(claims))
        except JoseError as exc:
            raise Unauthenticated(f"the access token is refused: {exc}") from exc

    def _published(self, *, anew: bool = False) -> KeySet:
        with self._lock:
            fresh = time.monotonic() - self._fetched < _KEYS_SECONDS
            if self._keys is not None and fresh and not anew:
                return self._keys
            try:
                answer = httpx.get(self._url, timeout=5.0, follow_redirects=False).raise_for_status()
                self._keys = KeySet.import_key_set(answer.json())
            except (httpx.HTTPError, JoseError, ValueError, KeyError) as exc:
                raise Unavailable(f"the issuer's keys at {self._url} cannot be fetched: {exc}", retry_after=5) from exc
            self._fetched = time.monotonic()
            return self._keys


def _principal(claims: Mapping[str, Any], departments_claim: str) -> Principal:
    """Build a principal; scopes of other services in the same token are passed over."""
    said = claims.get("scope", claims.get("scp", ()))
    names = said.split() if isinstance(said, str) else [str(name) for name in said]
    known = {scope.value: scope for scope in Scope}
    departments = claims.get(departments_claim)
    if isinstance(departments, str):
        departments = departments.split()
    return Principal(
        id=f"user {claims['sub']}",
        scopes=frozenset(known[name] for name in names if name in known),
        departments=None if departments is None else frozenset(str(name) for name in departments),
    )
