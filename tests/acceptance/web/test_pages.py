"""Every page in both languages, on a phone and a desk: it fits, it is accessible, and it says no error."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.acceptance.web.conftest import Site, serious_faults

PAGES = (
    "overview",
    "themes",
    "try",
    "review",
    "policy",
    "subscriptions",
    "subscriptions/new",
    "deliveries",
    "jobs",
    "models",
    "sign-in",
)
LOOKS = (("en", 1440, "light"), ("zh", 390, "dark"))


@pytest.mark.parametrize(("language", "width", "scheme"), LOOKS, ids=["desk", "phone"])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_and_has_no_serious_fault(
    site: Site, open_page: Callable[..., Page], name: str, language: str, width: int, scheme: str
) -> None:
    page = open_page(language=language, width=width, scheme=scheme)
    answer = page.goto(f"{site.url}/ui/{name}")
    assert answer is not None
    assert answer.status == 200
    assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-Hans"}[language]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1
    assert serious_faults(page) == []


def test_a_theme_page_fits_and_has_no_serious_fault(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(width=390)
    page.goto(f"{site.url}/ui/themes")
    page.get_by_role("link", name="说明书看不懂").click()
    page.wait_for_url("**/ui/themes/thm_*")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_faults(page) == []


def test_language_and_colours_are_kept(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(language="en")
    page.goto(f"{site.url}/ui/policy")
    page.get_by_role("button", name="中文").click()
    page.get_by_role("heading", name="策略", exact=True).wait_for()
    page.get_by_role("button", name="深色").click()
    page.wait_for_load_state()
    assert page.locator("html").get_attribute("data-scheme") == "dark"
    assert page.url == f"{site.url}/ui/policy"


def test_nothing_is_there(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    answer = page.goto(f"{site.url}/ui/themes/thm_absent")
    assert answer is not None
    assert answer.status == 404
    page.get_by_role("alert").filter(has_text="thm_absent").wait_for()


def test_the_link_of_a_notification_opens_the_page(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{site.url}/ui/themes")
    address = page.get_by_role("link", name="退款一直不到账").get_attribute("href")
    assert address is not None
    page.goto(f"{site.url}{address.removeprefix('/ui')}")
    page.get_by_role("heading", level=1, name="退款一直不到账").wait_for()
