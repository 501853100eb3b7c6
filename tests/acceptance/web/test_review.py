"""The review queue as a person works it off: by keyboard, in both languages, with disagreement and a third person."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest
from playwright.sync_api import Page, expect

from nlp_service.contract.taxonomy import Taxonomy
from nlp_service.core.access import Scope
from nlp_service.web.dashboard.review_keys import HELP, NEXT, PREVIOUS, keys_of
from tests.acceptance.web.conftest import Site, serious_faults
from tests.acceptance.web.seed import messages, send


@pytest.fixture(scope="module")
def desk(serve: Callable[[str], Site]) -> Site:
    """Return a site with a filled queue and three reviewers."""
    started = serve("review")
    for name in ("ann", "bo", "chen"):
        started.keys[name] = started.make_key(name, Scope.CLASSIFY, Scope.CORRECT)
    send(started.url, messages(40, now=datetime.now(UTC)), key=started.keys["ann"])
    httpx.post(f"{started.url}/review-queue/fill", headers=bearer(started, "ann"), timeout=120).raise_for_status()
    return started


def bearer(site: Site, name: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {site.keys[name]}"}


def corrections(site: Site, **asked: str) -> list[dict[str, object]]:
    found = httpx.get(f"{site.url}/corrections", params=asked, headers=bearer(site, "ann"), timeout=60)
    answer: list[dict[str, object]] = found.raise_for_status().json()
    return answer


def sign_in(page: Page, site: Site, name: str) -> None:
    page.goto(f"{site.url}/ui/sign-in?next=/ui/review")
    page.locator("input[type=password]").fill(site.keys[name])
    page.keyboard.press("Enter")
    page.wait_for_url("**/ui/review*")
    page.locator("#review").wait_for()


def shown(page: Page) -> str:
    return page.locator("input[name=message]").input_value()


def test_every_label_has_one_key_of_its_own(taxonomy: Taxonomy) -> None:
    keys = keys_of(taxonomy)
    labels = [*taxonomy.intents, *taxonomy.sentiments, *taxonomy.priorities, *taxonomy.emotions, *taxonomy.flags]
    assert len(keys) == len(labels) + 1  # and one that says that no flag applies
    assert len(set(keys.values())) == len(keys)
    assert not {NEXT, PREVIOUS, HELP} & set(keys.values())
    assert (keys["sentiment", "very_negative"], keys["priority", "urgent"], keys["intent", "order_status"]) == (
        "1", "6", "a",
    )  # fmt: skip


def test_the_queue_is_worked_off_by_keyboard(desk: Site, open_page: Callable[..., Page], taxonomy: Taxonomy) -> None:
    keys = keys_of(taxonomy)
    page = open_page()
    sign_in(page, desk, "ann")
    first = shown(page)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("j")
    page.wait_for_url("**message=*")
    second = shown(page)
    assert second != first
    page.keyboard.press("k")
    page.wait_for_function(f"document.querySelector('input[name=message]').value === {first!r}")

    page.keyboard.press(keys["intent", "warranty"])
    page.keyboard.press("1")
    page.keyboard.press("6")
    page.keyboard.press("6")  # taken back
    page.keyboard.press(keys["flags", "repeat_contact"])
    page.keyboard.press("Enter")
    page.get_by_role("status").filter(has_text="You are the first to label it.").wait_for()
    assert shown(page) == second
    (made,) = corrections(desk, message_id=first)
    assert made["labels"] == {"intent": "warranty", "sentiment": "very_negative", "flags": ["repeat_contact"]}
    assert str(made["by"]).startswith("key ")

    guess = page.locator("input[name=intent]:checked").input_value()
    page.get_by_label("Why (optional)").fill("klar j k")  # letters in a field are text
    page.keyboard.press("Enter")
    page.get_by_role("status").wait_for()
    (made,) = corrections(desk, message_id=second)
    assert (made["labels"], made["why"]) == ({"intent": guess}, "klar j k")


def test_a_third_person_decides_where_two_differ(desk: Site, open_page: Callable[..., Page]) -> None:
    queue = httpx.get(f"{desk.url}/review-queue", headers=bearer(desk, "bo"), timeout=60).json()
    message = queue["entries"][-1]["message_id"]
    for name, intent in (("ann", "invoice"), ("bo", "warranty")):
        body = {"message_id": message, "labels": {"intent": intent}, "why": f"says {name}"}
        answer = httpx.post(f"{desk.url}/corrections", json=body, headers=bearer(desk, name), timeout=60)
        assert answer.status_code == 201
    assert answer.json()["fields"]["intent"]["state"] == "disputed"

    page = open_page(language="zh", width=390)
    sign_in(page, desk, "chen")
    assert shown(page) == message  # it stands first
    page.get_by_text("says bo").wait_for()
    assert serious_faults(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.locator("label.choice", has_text="发票").first.click()
    page.get_by_role("button", name="裁定").click()
    page.get_by_role("status").filter(has_text="以您的裁定为准").wait_for()
    page.get_by_text("意见一致").wait_for()
    newest = corrections(desk, message_id=message)[0]
    assert (newest["resolves"], newest["labels"]) == (True, {"intent": "invoice"})

    desk.keys["reader"] = desk.make_key("reader", Scope.READ)
    answer = httpx.get(f"{desk.url}/models/0.0.1/precision", headers=bearer(desk, "reader"), timeout=60)
    found = answer.raise_for_status().json()
    assert sum(item["judged"] for item in found["corrected"] if item["head"] == "intent") >= 1
    assert (found["sample"], found["measured"]) == (0, [])  # far too few to be measured by


def test_the_desk_page_has_no_serious_fault(desk: Site, open_page: Callable[..., Page]) -> None:
    page = open_page(scheme="dark")
    sign_in(page, desk, "bo")
    assert serious_faults(page) == []
    page.keyboard.press("?")
    assert serious_faults(page) == []
