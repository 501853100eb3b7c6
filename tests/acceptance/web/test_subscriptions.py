"""A team subscribes on the page, tries it, holds it back and leaves; what arrives is what a real receiver got."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Page, expect
from standardwebhooks import Webhook

from nlp_service.core.access import Scope
from tests.acceptance.web.conftest import Site, serious_faults
from tests.receivers import Receivers, receive


@pytest.fixture(scope="module")
def receivers() -> Iterator[Receivers]:
    with receive() as opened:
        yield opened


def test_a_team_subscribes_tries_it_pauses_and_leaves(
    site: Site, open_page: Callable[..., Page], receivers: Receivers
) -> None:
    page = open_page()
    page.goto(f"{site.url}/ui/subscriptions/new")
    page.get_by_label("Name, for example the team’s").fill("Product team")
    page.get_by_label("Address", exact=True).fill(f"{receivers.url}/ok")
    page.get_by_label("Product team", exact=True).check()
    assert page.get_by_label("Taken on").is_checked() is False
    assert page.get_by_label("Mail addresses").is_visible() is False
    page.keyboard.press("Enter")
    page.get_by_text("Made and active.").wait_for()
    secret = page.locator("#secret").inner_text()
    assert serious_faults(page) == []
    page.get_by_role("button", name="Send a sample").click()
    page.get_by_text("The sample was taken.").wait_for()
    (sample,) = receivers.of("/ok")
    Webhook(secret).verify(sample.body, dict(sample.headers))

    page.goto(f"{site.url}/ui/subscriptions")
    page.get_by_role("link", name="Product team").click()
    page.get_by_role("heading", level=1, name="Product team").wait_for()
    assert page.locator("#secret").count() == 0
    assert secret not in page.content()
    assert "/ok" not in page.locator("main").inner_text()  # the path of a hook may be its secret
    page.get_by_role("button", name="Pause").click()
    page.get_by_text("Paused: what it would get is collected").wait_for()
    page.get_by_role("button", name="Resume").click()
    page.get_by_text("It is sent to again.").wait_for()
    page.get_by_role("button", name="New secret").click()
    page.locator("#secret").wait_for()
    assert page.locator("#secret").inner_text() != secret
    page.get_by_label("Type the name").fill("Product")
    page.get_by_role("button", name="Remove").click()
    page.get_by_role("alert").filter(has_text="type it exactly").wait_for()
    page.goto(f"{site.url}/ui/subscriptions")
    page.get_by_role("link", name="Product team").click()
    page.get_by_label("Type the name").fill("Product team")
    page.get_by_role("button", name="Remove").click()
    page.get_by_text("are removed").wait_for()
    names = [entry["name"] for entry in httpx.get(f"{site.url}/subscriptions", timeout=60).json()]
    assert "Product team" not in names


def test_what_is_wrong_is_said_at_the_field_and_what_was_typed_stays(
    site: Site, open_page: Callable[..., Page]
) -> None:
    page = open_page(language="zh", width=390)
    page.goto(f"{site.url}/ui/subscriptions/new")
    page.get_by_label("渠道").select_option("email")
    page.get_by_label("免打扰开始").fill("22:00")
    page.get_by_label("最低占比（%）").fill("7")
    page.get_by_role("button", name="创建").click()
    page.get_by_role("alert").filter(has_text="请修改标出的地方").wait_for()
    for said in ("请填写名称。", "请至少填写一个邮箱地址。", "免打扰需要开始和结束两个时间。"):
        expect(page.get_by_text(said)).to_be_visible()
    assert page.get_by_label("渠道").input_value() == "email"
    assert page.get_by_label("最低占比（%）").input_value() == "7"
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert serious_faults(page) == []
    page.get_by_label("名称（如团队名）").fill("邮件组")
    page.get_by_label("邮箱地址").fill("a@example.com, b@example.com")
    page.get_by_label("免打扰结束").fill("08:00")
    page.get_by_role("button", name="创建").click()
    page.get_by_text("已创建并启用").wait_for()
    made = next(e for e in httpx.get(f"{site.url}/subscriptions", timeout=60).json() if e["name"] == "邮件组")
    assert (made["address"], made["filter"]["least_share"]) == ("a@example.com, b@example.com", 0.07)
    assert (made["rhythm"]["quiet_from"], made["rhythm"]["quiet_until"]) == ("22:00", "08:00")


def test_an_address_inside_the_network_is_refused_in_words(site: Site, open_page: Callable[..., Page]) -> None:
    page = open_page()
    page.goto(f"{site.url}/ui/subscriptions/new")
    page.get_by_label("Name, for example the team’s").fill("inside")
    page.get_by_label("Address", exact=True).fill("https://10.1.2.3/hook")
    page.get_by_role("button", name="Create").click()
    page.get_by_role("button", name="Send a sample").click()
    refused = page.get_by_role("alert").filter(has_text="Nothing was sent: the address is not allowed.")
    refused.wait_for()
    assert "10.1.2.3, which is not a public address" in refused.inner_text()
    assert "NLP_SERVICE_DELIVERY_NETWORKS" in refused.inner_text()


def test_a_name_that_is_taken_and_a_secret_that_is_none_are_said(site: Site) -> None:
    """Without a script the form says the same, and no secret comes back."""
    form = {"name": "twice", "channel": "webhook", "url": "https://hooks.example/x", "kinds": "new", "language": "en",
            "when": "at_once", "least_severity": "minor", "timezone": "UTC"}  # fmt: skip
    first = httpx.post(f"{site.url}/ui/subscriptions", data=form, timeout=60)
    assert first.status_code == 200, first.text
    again = httpx.post(f"{site.url}/ui/subscriptions", data=form, timeout=60)
    assert again.status_code == 409
    bad = httpx.post(f"{site.url}/ui/subscriptions", data={**form, "name": "x", "secret": "whsec_?"}, timeout=60)
    assert bad.status_code == 422
    assert "whsec_?" not in bad.text
    assert httpx.post(f"{site.url}/ui/subscriptions", data={**form, "timezone": "Mars"}, timeout=60).status_code == 422


def test_a_viewer_of_a_department_sees_own_subscriptions_alone(site: Site, locked: Site) -> None:
    admin, viewer = locked.keys["admin"], locked.make_key("team", Scope.DELIVERIES, departments={"logistics"})
    for name, departments in (("theirs", ["finance"]), ("everyone", []), ("own", ["logistics"])):
        body = {"name": name, "channel": "webhook", "target": {"url": "https://hooks.example/x"},
                "filter": {"departments": departments}}  # fmt: skip
        made = httpx.post(
            f"{locked.url}/subscriptions", json=body, headers={"Authorization": f"Bearer {admin}"}, timeout=60
        )
        assert made.status_code == 201
    with httpx.Client(base_url=locked.url, cookies={"nlp_session": viewer}, timeout=60) as client:
        listed = client.get("/ui/subscriptions").text
        assert ("own" in listed, "theirs" in listed, "everyone" in listed) == (True, False, False)
        assert client.get("/ui/subscriptions/theirs").status_code == 404
        assert client.post("/ui/subscriptions/theirs/state", data={"to": "paused"}).status_code == 404
        assert client.post("/ui/subscriptions/theirs/remove", data={"confirm": "theirs"}).status_code == 404
        form = {"name": "all", "channel": "webhook", "url": "https://hooks.example/x", "kinds": "new",
                "language": "en", "when": "at_once", "least_severity": "minor", "timezone": "UTC"}  # fmt: skip
        assert client.post("/ui/subscriptions", data=form).status_code == 403
        assert client.post("/ui/subscriptions", data={**form, "departments": "logistics"}).status_code == 200
        assert "theirs" not in client.get("/ui/deliveries").text
