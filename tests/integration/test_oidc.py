"""Access tokens against an issuer that publishes its keys over HTTP."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

from nlp_service.adapters.oidc import Oidc
from nlp_service.core.access import Scope
from nlp_service.errors import Unauthenticated, Unavailable

ISSUER, AUDIENCE = "https://id.example.com", "nlp-service"


class Issuer:
    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048, parameters={"kid": "one"})]
        self.fetches = 0

    def token(self, key: Any = None, algorithm: str = "RS256", **changed: Any) -> str:
        key = key or self.keys[-1]
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": "mei",
            "exp": int(time.time()) + 300,
            "scope": "openid themes:read read",
            "departments": ["logistics"],
        }
        return jwt.encode({"alg": algorithm, "kid": key.kid}, {**claims, **changed}, key)


@contextmanager
def published(issuer: Issuer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.fetches += 1
            content = json.dumps(KeySet(issuer.keys).as_dict(private=False)).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/jwks"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def oidc(issuer: Issuer) -> Iterator[Oidc]:
    with published(issuer) as url:
        yield Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_url=url)


def test_a_good_token_gives_scopes_and_departments(oidc: Oidc, issuer: Issuer) -> None:
    principal = oidc.authenticate(issuer.token())
    assert principal.id == "user mei"
    assert principal.scopes == {Scope.THEMES_READ, Scope.READ}
    assert principal.departments == {"logistics"}


@pytest.mark.parametrize(
    "changed",
    [{"iss": "https://other"}, {"aud": "other"}, {"exp": 1}, {"sub": None}, {"nbf": int(time.time()) + 3600}],
)
def test_a_token_of_or_for_somebody_else_is_refused(oidc: Oidc, issuer: Issuer, changed: dict[str, Any]) -> None:
    with pytest.raises(Unauthenticated):
        oidc.authenticate(issuer.token(**changed))


def test_a_forged_token_is_refused(oidc: Oidc, issuer: Issuer) -> None:
    stranger = RSAKey.generate_key(2048, parameters={"kid": "one"})
    with pytest.raises(Unauthenticated):
        oidc.authenticate(issuer.token(stranger))


def test_a_token_signed_with_a_shared_secret_is_refused(oidc: Oidc, issuer: Issuer) -> None:
    secret = OctKey.import_key(b"0123456789abcdef0123456789abcdef", parameters={"kid": "one"})
    with pytest.raises(Unauthenticated):
        oidc.authenticate(issuer.token(secret, "HS256"))


def test_rotated_keys_are_fetched_again(issuer: Issuer) -> None:
    with published(issuer) as url:
        oidc = Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_url=url)
        oidc.authenticate(issuer.token())
        oidc._fetched -= 60
        issuer.keys.append(RSAKey.generate_key(2048, parameters={"kid": "two"}))
        assert oidc.authenticate(issuer.token()).id == "user mei"


def test_an_issuer_that_does_not_answer_is_unavailable() -> None:
    oidc = Oidc(issuer=ISSUER, audience=AUDIENCE, jwks_url="http://127.0.0.1:9/jwks")
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        oidc.authenticate("a.b.c")
