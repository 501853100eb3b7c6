"""Who a token stands for: an API key, an OIDC access token, or this machine while no key exists."""

from __future__ import annotations

import time

from nlp_service.adapters.db.keys import Keys
from nlp_service.adapters.limiter import Limiter
from nlp_service.adapters.oidc import Oidc
from nlp_service.core.access import LOCAL, Principal
from nlp_service.errors import Unauthenticated

_ANY_KEY_SECONDS = 5.0  # so long may the first key made in another process go unnoticed


class Gate:
    """Decides who a token stands for; remembers for a moment whether any key exists."""

    def __init__(
        self, keys: Keys, *, on_loopback: bool, oidc: Oidc | None = None, limiter: Limiter | None = None
    ) -> None:
        self._keys = keys
        self._limiter = limiter or Limiter(0)
        self._oidc = oidc
        self._on_loopback = on_loopback
        self._asked = float("-inf")
        self._locked = True

    def principal(self, token: str | None) -> Principal:
        """Return whoever asks, and count the request.

        Raises:
            Unauthenticated: a token is needed and missing, or unknown, expired or revoked.
            Overloaded: more requests than the caller's limit.
        """
        found = self._known(token)
        self._limiter.take(found)
        return found

    def _known(self, token: str | None) -> Principal:
        if token is not None:
            if self._oidc is not None and token.count(".") == 2:  # a JSON Web Token has three parts
                return self._oidc.authenticate(token)
            return self._keys.authenticate(token)
        if self._on_loopback and self._oidc is None and not self._key_exists():
            return LOCAL
        raise Unauthenticated("an API key is needed: send it as Authorization: Bearer nls_… or X-API-Key")

    def _key_exists(self) -> bool:
        now = time.monotonic()
        if now - self._asked > _ANY_KEY_SECONDS:
            self._locked = self._keys.any_open()
            self._asked = now
        return self._locked
