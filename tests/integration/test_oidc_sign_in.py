"""Signing in at an issuer: the code flow against a provider that checks what it must, over real HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from nlp_service.adapters.oidc import Oidc
from nlp_service.adapters.oidc_sign_in import Begun, OidcSignIn, challenge
from nlp_service.core.access import Scope
from nlp_service.errors import Unauthenticated, Unavailable
from tests.oidc_provider import Provider, provide

HERE = "http://127.0.0.1:8080/ui/sign-in/oidc/callback"


@pytest.fixture
def provider() -> Iterator[Provider]:
    with provide() as opened:
        yield opened


def client(provider: Provider, **changed: Any) -> OidcSignIn:
    oidc = Oidc(issuer=provider.url, audience="nlp-service", jwks_url=f"{provider.url}/jwks")
    given = {"issuer": provider.url, "client_id": provider.client_id, "client_secret": provider.client_secret}
    return OidcSignIn(oidc, **{**given, "scopes": "openid read", **changed})


def consent(begun: Begun, who: str = "mei") -> dict[str, str]:
    """Answer at the provider as a person would; returns what the browser brings back."""
    asked = dict(parse_qsl(urlsplit(begun.url).query))
    answer = httpx.post(begun.url.partition("?")[0], data={**asked, "who": who})
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))


def finish(sign_in: OidcSignIn, begun: Begun, **changed: str) -> str:
    back = consent(begun)
    given = {"code": back["code"], "verifier": begun.verifier, "nonce": begun.nonce, "redirect_uri": HERE}
    return sign_in.finish(**{**given, **changed})


def test_the_challenge_is_the_one_of_the_standard() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_sign_in_gives_a_token_of_the_person(provider: Provider) -> None:
    sign_in = client(provider)
    token = finish(sign_in, sign_in.begin(HERE))
    principal = Oidc(issuer=provider.url, audience="nlp-service", jwks_url=f"{provider.url}/jwks").authenticate(token)
    assert principal.id == "user mei"
    assert principal.scopes == {Scope.READ, Scope.THEMES_READ}
    assert principal.departments == {"logistics"}


def test_every_sign_in_has_secrets_of_its_own(provider: Provider) -> None:
    sign_in = client(provider)
    one, two = sign_in.begin(HERE), sign_in.begin(HERE)
    assert len({one.state, one.nonce, one.verifier, two.state, two.nonce, two.verifier}) == 6
    assert one.verifier not in one.url
    assert one.verifier not in repr(one)


@pytest.mark.parametrize("wrong", ["verifier", "nonce", "redirect_uri", "code"])
def test_what_belongs_to_another_sign_in_is_refused(provider: Provider, wrong: str) -> None:
    sign_in = client(provider)
    with pytest.raises(Unauthenticated):
        finish(sign_in, sign_in.begin(HERE), **{wrong: "x" * 43})


def test_a_code_is_good_once(provider: Provider) -> None:
    sign_in = client(provider)
    begun = sign_in.begin(HERE)
    back = consent(begun)
    given = {"code": back["code"], "verifier": begun.verifier, "nonce": begun.nonce, "redirect_uri": HERE}
    sign_in.finish(**given)
    with pytest.raises(Unauthenticated, match="invalid_grant"):
        sign_in.finish(**given)


@pytest.mark.parametrize(
    "changed", [{"aud": "another client"}, {"iss": "https://other"}, {"exp": int(time.time()) - 600}, {"nonce": ""}]
)
def test_an_id_token_that_is_not_ours_is_refused(provider: Provider, changed: dict[str, Any]) -> None:
    provider.changed = changed
    sign_in = client(provider)
    with pytest.raises(Unauthenticated):
        finish(sign_in, sign_in.begin(HERE))


def test_a_token_for_another_service_is_refused_in_words(provider: Provider) -> None:
    provider.audience = "another service"
    sign_in = client(provider)
    with pytest.raises(Unauthenticated, match="aud"):
        finish(sign_in, sign_in.begin(HERE))


def test_a_wrong_client_secret_is_said(provider: Provider) -> None:
    sign_in = client(provider, client_secret="wrong")
    with pytest.raises(Unauthenticated, match="invalid_client"):
        finish(sign_in, sign_in.begin(HERE))


def test_a_configuration_of_another_issuer_is_not_used(provider: Provider) -> None:
    with pytest.raises(Unavailable, match="another issuer"):
        client(provider, issuer=provider.url.replace("127.0.0.1", "localhost")).begin(HERE)


def test_an_issuer_that_does_not_answer_is_unavailable(provider: Provider) -> None:
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        client(provider, issuer="http://127.0.0.1:9").begin(HERE)
