"""Deliveries sent again, jobs stopped, models promoted and rolled back: by the buttons, with what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect

from nlp_service.adapters.db.database import Database
from nlp_service.adapters.db.jobs import Jobs
from nlp_service.bootstrap.parts import now
from tests.acceptance.web.conftest import Site, serious_faults
from tests.receivers import Receivers, receive


@pytest.fixture(scope="module")
def receivers() -> Iterator[Receivers]:
    with receive() as opened:
        yield opened


def test_a_dead_delivery_is_sent_again(site: Site, open_page: Callable[..., Page], receivers: Receivers) -> None:
    receivers.scripted["POST /down"] = [(500, "down")]
    body = {"name": "down", "channel": "webhook", "target": {"url": f"{receivers.url}/down"},
            "filter": {"kinds": ["renamed"]}}  # fmt: skip
    assert httpx.post(f"{site.url}/subscriptions", json=body, timeout=60).status_code == 201
    page = open_page()
    page.goto(f"{site.url}/ui/themes")
    page.get_by_role("link", name="退款一直不到账").click()
    page.get_by_label("Title").fill("退款一直不到账！")
    page.get_by_role("button", name="Rename").click()
    page.get_by_role("status").filter(has_text="Done.").wait_for()
    receivers.wait_for("/down", 1)
    receivers.scripted["POST /down"] = [(200, "{}")]
    _until(page, f"{site.url}/ui/deliveries?state=dead", "Send all dead ones again")
    assert serious_faults(page) == []
    page.get_by_role("link", name="Open it").click()  # its last attempt failed, so that it was switched off
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("It is sent to again.").wait_for()
    page.goto(f"{site.url}/ui/deliveries?state=dead")
    page.get_by_role("row").filter(has_text="down").get_by_role("link").first.click()
    page.get_by_role("cell", name="500", exact=True).wait_for()
    page.get_by_role("button", name="Send again").click()
    receivers.wait_for("/down", 2)
    first, second = receivers.of("/down")
    assert first.message_id == second.message_id
    _until(page, page.url, "Delivered")
    page.goto(f"{site.url}/ui/deliveries?state=dead")
    assert page.get_by_role("button", name="Send all dead ones again").count() == 0


def test_a_job_is_stopped_and_one_that_ended_shows_its_result(site: Site, open_page: Callable[..., Page]) -> None:
    with Database.open(site.database) as database:
        waiting = Jobs(database).submit("archive", {"recipe": "small"}, by="tests", at=now())
    page = open_page(language="zh", width=390)
    page.goto(f"{site.url}/ui/jobs")
    page.get_by_role("link", name="archive").click()
    page.wait_for_url(f"**/ui/jobs/{waiting.id}")
    expect(page.get_by_text("recipe")).to_be_visible()
    page.get_by_role("button", name="停止").press("Enter")
    page.get_by_text("已停止").wait_for()
    assert page.get_by_role("button", name="停止").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    rows = '{"text": "快递没到"}\n{"text": "谢谢"}\n'
    files = {"file": ("old.jsonl", rows.encode(), "application/octet-stream")}
    made = httpx.post(f"{site.url}/relabel-jobs/upload", files=files, timeout=60)
    assert made.is_success, made.text
    _until(page, f"{site.url}/ui/jobs/{made.json()['id']}", "完成", tries=240)
    expect(page.get_by_role("heading", name="结果")).to_be_visible()
    assert serious_faults(page) == []


def test_a_model_is_promoted_and_rolled_back_by_typing_it(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{site.url}/ui/models")
    figure = page.get_by_role("row").filter(has_text="Intent accuracy").inner_text()
    assert figure.split()[-3:] == ["0.660", "0.710", "+0.050"]
    assert page.locator("svg.reliability polyline").count() == 2
    page.get_by_role("heading", name="Drift").wait_for()
    page.locator("summary", has_text="Promote").first.press("Enter")
    page.get_by_label("Type the version tests-0.0.2").fill("tests-0.0.1")
    page.keyboard.press("Enter")
    page.get_by_role("alert").filter(has_text="type it exactly").wait_for()
    for forced in (False, True):
        page.goto(f"{site.url}/ui/models")
        page.locator("summary", has_text="Promote").first.click()
        page.get_by_label("Type the version tests-0.0.2").fill("tests-0.0.2")
        page.get_by_label("Why").fill("better")
        page.get_by_label("Promote past the gate by force").set_checked(forced)
        page.get_by_role("button", name="Promote", exact=True).click()
        if not forced:
            page.get_by_role("alert").filter(has_text="never held against the accepted model").wait_for()
    page.get_by_role("status").filter(has_text="tests-0.0.2").wait_for()
    assert serious_faults(page) == []
    page.get_by_label("Type the version tests-0.0.1 to go back to it").fill("tests-0.0.1")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("status").filter(has_text="tests-0.0.1").wait_for()
    expect(page.get_by_text("rolled back from tests-0.0.2")).to_be_visible()


def _until(page: Page, address: str, text: str, *, tries: int = 120) -> None:
    """Look again until a page says what is awaited."""
    for _ in range(tries):
        page.goto(address)
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(500)
    raise AssertionError(f"{address} never said {text!r}: {page.locator('main').inner_text()}")
