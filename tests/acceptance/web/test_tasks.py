"""The main task of each page, done as a person would do it, by keyboard where that is quicker."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, expect

from nlp_service.core.access import Scope
from tests.acceptance.web.conftest import Site, serious_faults

SAVED = "version: 1\npriority:\n  - id: all_chat\n    when: {channel: app}\n    level: urgent\n"


def test_try_a_message(site: Site, open_page: Callable[..., Page]) -> None:
    before = _messages(site)
    page = open_page(language="zh", width=390)
    page.goto(f"{site.url}/ui/try")
    page.get_by_label("消息", exact=True).fill("快递没到，打我电话 13800138000")
    page.keyboard.press("Control+Enter")
    page.get_by_role("heading", name="起作用的词").wait_for()
    page.get_by_text("手机号").wait_for()
    page.get_by_role("radio", name="情感").check(force=True)
    assert page.locator(".reading:visible").count() == 1
    assert serious_faults(page) == []
    assert _messages(site) == before  # nothing was kept


def test_the_overview_says_what_the_api_says(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{site.url}/")
    page.get_by_label("Period").select_option("90")
    page.wait_for_url("**/ui/overview?days=90*")
    shown = page.locator(".figure", has_text="Messages").locator(".value").inner_text()
    assert int(shown.replace(",", "")) == _messages(site)
    page.locator("canvas").first.wait_for()
    page.get_by_text("Show the numbers").first.click()
    assert page.locator("details[open] tbody tr").count() == 90
    fix = page.get_by_role("row").filter(has_text="安装师傅不守时")
    assert fix.locator(".tag").inner_text() == "Worked"
    assert "31%" in fix.inner_text()


def test_a_policy_is_checked_tried_and_put_in_force(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{site.url}/ui/policy")
    editor = page.get_by_label("Policy (YAML)")
    editor.fill("version: 1\npriority:\n  - {id: a, when: {intent: nonsense}, level: urgent}\n")
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("alert").filter(has_text="line 3").wait_for()
    editor.fill(SAVED)
    page.get_by_role("button", name="Preview").click()
    page.get_by_text("The policy is valid.").wait_for()
    page.get_by_role("columnheader", name="A day").first.wait_for()
    page.get_by_role("button", name="Save and put in force").click()
    page.get_by_text("Version 1 is in force.").wait_for()
    answer = httpx.post(f"{site.url}/classify", json={"text": "你好", "channel": "app"}, timeout=60).json()
    assert [reason["rule"] for reason in answer["priority"]["reasons"]] == ["all_chat"]
    assert httpx.get(f"{site.url}/policy", timeout=60).text == SAVED
    stale = httpx.put(f"{site.url}/policy", json={"policy": SAVED, "after": None}, timeout=60)
    assert stale.status_code == 409


def test_a_theme_is_taken_on_dismissed_and_brought_back(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{site.url}/ui/themes")
    page.get_by_role("link", name="说明书看不懂").click()
    page.wait_for_load_state()  # the keys work from then on
    page.keyboard.press("a")
    page.get_by_role("status").filter(has_text="Taken on.").wait_for()
    page.get_by_label("Why nobody needs to hear of it").fill("known")
    page.get_by_role("button", name="Dismiss").click()
    page.get_by_role("button", name="Undo").click()
    page.get_by_role("status").filter(has_text="It is back.").wait_for()
    expect(page.get_by_role("button", name="Dismiss")).to_be_visible()


def test_a_key_signs_in_and_out(locked: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{locked.url}/ui/themes")
    page.get_by_label("API key or access token").fill("nls_wrong_key")
    page.keyboard.press("Enter")
    page.get_by_role("alert").wait_for()
    page.get_by_label("API key or access token").fill(locked.keys["admin"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/themes")
    session = next(cookie for cookie in page.context.cookies() if cookie["name"] == "nlp_session")
    assert (session["httpOnly"], session["sameSite"]) == (True, "Strict")
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/ui/sign-in")
    assert all(cookie["name"] != "nlp_session" for cookie in page.context.cookies())


def test_a_viewer_sees_own_pages_and_own_department(locked: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{locked.url}/ui/sign-in")
    page.get_by_label("API key or access token").fill(locked.keys["viewer"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/overview")
    assert page.get_by_role("navigation").get_by_role("link").all_inner_texts() == ["Overview"]
    assert page.locator("#department option").all_inner_texts() == ["All", "Logistics"]
    for address in ("/ui/policy", "/ui/overview?department=finance"):
        answer = page.goto(f"{locked.url}{address}")
        assert answer is not None
        assert answer.status == 403


def test_the_front_door_leads_to_the_first_page_that_is_open(locked: Site) -> None:
    for scopes, address in (([Scope.THEMES_READ], "/ui/themes"), ([Scope.JOBS], "/ui/jobs")):
        key = locked.make_key(f"only {address}", *scopes, departments={"logistics"})
        answer = httpx.get(f"{locked.url}/", cookies={"nlp_session": key}, timeout=60)
        assert (answer.status_code, answer.headers["location"]) == (303, address)


def test_a_form_of_another_site_is_refused(site: Site) -> None:
    elsewhere = {"Origin": "https://elsewhere.example"}
    for headers in (elsewhere, {"Origin": "null"}, {"Origin": site.url, "Sec-Fetch-Site": "cross-site"}):
        answer = httpx.post(f"{site.url}/ui/policy", data={"policy": SAVED}, headers=headers, timeout=60)
        assert answer.status_code == 403


@pytest.mark.parametrize("wanted", ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"])
def test_a_link_never_leads_elsewhere(site: Site, wanted: str) -> None:
    answer = httpx.post(f"{site.url}/ui/preferences", data={"to": wanted, "language": "en"}, timeout=60)
    assert answer.headers["location"] == "/"


def _messages(site: Site) -> int:
    """Count what is stored by replaying it, as the API does."""
    body = {"policy": "version: 1\npriority: []\n", "days": 90}
    return int(httpx.post(f"{site.url}/policy/preview", json=body, timeout=60).json()["messages"])
