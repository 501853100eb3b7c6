"""A person signs in at the identity provider with a real browser, sees their department, and signs out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page

from tests.acceptance.web.conftest import Site, serious_faults
from tests.oidc_provider import Provider, provide


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with provide() as opened:
        yield opened


@pytest.fixture(scope="module")
def client(serve: Callable[..., Site], provider: Provider) -> Site:
    """Return a site that is a client of the provider."""
    return serve(
        "oidc",
        NLP_SERVICE_OIDC_ISSUER=provider.url,
        NLP_SERVICE_OIDC_AUDIENCE=provider.audience,
        NLP_SERVICE_OIDC_JWKS_URL=f"{provider.url}/jwks",
        NLP_SERVICE_OIDC_CLIENT_ID=provider.client_id,
        NLP_SERVICE_OIDC_CLIENT_SECRET=provider.client_secret,
    )


def test_a_person_signs_in_at_the_provider_and_out(
    client: Site, provider: Provider, open_page: Callable[..., Page]
) -> None:
    page = open_page()
    page.goto(f"{client.url}/ui/themes?state=fixed")
    assert serious_faults(page) == []
    page.get_by_role("link", name="Sign in at 127.0.0.1").press("Enter")
    page.get_by_role("button", name="Never mind").click()
    page.get_by_role("alert").filter(has_text="access_denied").wait_for()
    page.goto(f"{client.url}/ui/themes?state=fixed")
    page.get_by_role("link", name="Sign in at 127.0.0.1").click()
    page.get_by_role("button", name="I am Mei").click()
    page.wait_for_url(f"{client.url}/ui/themes?state=fixed")
    assert page.get_by_role("navigation").get_by_role("link").all_inner_texts() == ["Overview", "Themes"]
    page.goto(f"{client.url}/ui/overview")
    assert page.locator("#department option").all_inner_texts() == ["All", "Logistics"]
    cookies = {cookie["name"]: cookie for cookie in page.context.cookies()}
    assert (cookies["nlp_session"]["httpOnly"], cookies["nlp_session"]["sameSite"]) == (True, "Strict")
    assert "nlp_sign_in" not in cookies
    assert {asked["code_challenge_method"] for asked in provider.asked} == {"S256"}
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/ui/sign-in")


def test_an_answer_that_nobody_asked_for_begins_no_session(client: Site) -> None:
    """A link with somebody else's code must not sign a person in as them."""
    answer = httpx.get(f"{client.url}/ui/sign-in/oidc/callback?code=stolen&state=guessed", timeout=60)
    assert answer.status_code == 401
    assert "nlp_session" not in answer.cookies
    begun = httpx.get(f"{client.url}/ui/sign-in/oidc?next=//elsewhere.example", timeout=60)
    kept = begun.cookies["nlp_sign_in"]
    again = httpx.get(
        f"{client.url}/ui/sign-in/oidc/callback?code=stolen&state=guessed", cookies={"nlp_sign_in": kept}, timeout=60
    )
    assert again.status_code == 401


def test_a_service_that_is_no_client_says_so(site: Site) -> None:
    assert httpx.get(f"{site.url}/ui/sign-in/oidc", timeout=60).status_code == 404
    assert "/ui/sign-in/oidc" not in httpx.get(f"{site.url}/ui/sign-in", timeout=60).text
