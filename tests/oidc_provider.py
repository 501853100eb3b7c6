"""A small OpenID Connect provider that a real browser can sign in at: discovery, keys, authorize, token with PKCE."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey


@dataclass
class Provider:
    """What the provider knows; tests change it to be refused or fooled."""

    client_id: str = "nlp-pages"
    client_secret: str = "s3cret/with+signs"
    audience: str = "nlp-service"
    scope: str = "openid read themes:read"
    departments: tuple[str, ...] | None = ("logistics",)
    url: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": "one"}))
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  # code -> the authorize request
    asked: list[dict[str, str]] = field(default_factory=list)  # authorize requests
    changed: dict[str, Any] = field(default_factory=dict)  # claims of the ID token that are not as they should be

    def token(self, audience: str, **claims: Any) -> str:
        at = int(time.time())
        body = {"iss": self.url, "sub": "mei", "aud": audience, "iat": at, "exp": at + 300, **claims}
        return jwt.encode({"alg": "RS256", "kid": "one"}, body, self.key)

    def exchange(self, form: dict[str, str], authorization: str) -> tuple[int, dict[str, Any]]:
        """Answer a token request; every check that RFC 6749 and RFC 7636 ask for."""
        given = base64.b64decode(authorization.removeprefix("Basic ")).decode().split(":")
        if [unquote(part) for part in given] != [self.client_id, self.client_secret]:
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)  # a code is good once
        if asked is None or form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != asked["code_challenge"]:
            return 400, {"error": "invalid_grant"}
        own = {} if self.departments is None else {"departments": list(self.departments)}
        identity = {"nonce": asked["nonce"], **self.changed}
        return 200, {
            "token_type": "Bearer",
            "access_token": self.token(self.audience, scope=self.scope, **own),
            "id_token": self.token(self.client_id, **identity),
        }


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        provider, parts = self.server.provider, urlsplit(self.path)
        if parts.path == "/.well-known/openid-configuration":
            names = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
            found = {name: f"{provider.url}/{path}" for name, path in names.items()}
            self._json(200, {"issuer": provider.url, **found})
        elif parts.path == "/jwks":
            self._json(200, KeySet([provider.key]).as_dict(private=False))
        elif parts.path == "/authorize":
            asked = dict(parse_qsl(parts.query))
            provider.asked.append(asked)
            fields = "".join(
                f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
                for name, value in asked.items()
            )
            page = (
                '<!doctype html><html lang="en"><title>Who are you?</title><link rel="icon" href="data:,">'
                f'<form method="post">{fields}<button name="who" value="mei">I am Mei</button>'
                '<button name="who" value="">Never mind</button></form></html>'
            )
            self._answer(200, page.encode(), "text/html; charset=utf-8")
        else:
            self._json(404, {})

    def do_POST(self) -> None:
        provider = self.server.provider
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        form = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        if urlsplit(self.path).path == "/token":
            self._json(*provider.exchange(form, self.headers.get("authorization") or ""))
            return
        answer = {"state": form["state"]}
        if form.get("who"):
            code = secrets.token_urlsafe(16)
            provider.codes[code] = form
            answer["code"] = code
        else:
            answer["error"] = "access_denied"
        self.send_response(303)
        self.send_header("location", f"{form['redirect_uri']}?{urlencode(answer)}")
        self.send_header("content-length", "0")
        self.end_headers()

    def _json(self, status: int, document: dict[str, Any]) -> None:
        self._answer(status, json.dumps(document).encode(), "application/json")

    def _answer(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    provider: Provider


@contextmanager
def provide() -> Iterator[Provider]:
    """Serve a provider on a free port of this machine."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.provider = Provider(url=f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.provider
        finally:
            server.shutdown()
            thread.join()
