"""Every channel's message: complete, within its limit, and deaf to markup in customers' words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook

from nlp_service.core.delivery.events import ThemeEvent
from nlp_service.core.delivery.formats import HOOKS, email, jira
from nlp_service.core.delivery.notice import Links, Notice
from nlp_service.core.delivery.sample import sample_event
from nlp_service.core.delivery.signing import new_webhook_secret
from nlp_service.core.delivery.subscriptions import Secret, Target

AT = datetime.now(UTC)
SECRET = new_webhook_secret(bytes(range(32)))
TARGET = Target(url="https://hooks.example/bot?key=1", secrets=(Secret(value=SECRET),), project="PROD")
LIMITS = {"webhook": 20_000, "feishu": 20_000, "dingtalk": 20_000, "wecom": 4096 + 200, "slack": 40_000}
HOSTILE = (
    "<at id=all></at> <!channel> <@U1> @all [click](https://evil.example) **bold** `x` </p><script>alert(1)</script>\n"
    '# x | "quoted" \\ \u2028'
)


def notice(*events: ThemeEvent, form: str | None = None, language: str = "zh") -> Notice:
    links = {
        event.id: Links(
            theme=f"https://feedback.example/themes/{event.theme_id}",
            acknowledge="https://feedback.example/inbound/links/" + "a" * 200,
            fix="https://feedback.example/inbound/links/" + "f" * 200,
        )
        for event in events
    }
    form = form or ("event" if len(events) == 1 else "digest")
    return Notice(id="dlv_1", form=form, events=events, at=AT, links=links, language=language, subscription="产品组")


def event(number: int = 1, **fields: Any) -> ThemeEvent:
    return replace(sample_event(f"evt_{number}", at=AT), **fields)


def whole(channel: str, message: Notice) -> str:
    return HOOKS[channel](message, TARGET).body.decode()


@pytest.mark.parametrize("channel", sorted(HOOKS))
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_person_finds_title_share_trend_quotes_and_links(channel: str, language: str) -> None:
    text = whole(channel, notice(event(), language=language))
    for needed in ("说明书看不懂", "步骤也没写清楚", "feedback.example/themes/thm_sample", "净水器"):
        assert needed in text
    if channel != "webhook":
        for needed in ("15.0%", "14.3%", "15.7%", "↑", "1,512"):
            assert needed in text.replace("％", "%")
    assert "a" * 200 in text


@pytest.mark.parametrize("channel", sorted(HOOKS))
@given(
    st.lists(st.text(max_size=2000), max_size=5),
    st.text(max_size=3000),
    st.text(max_size=3000),
    st.lists(st.text(max_size=500), max_size=12),
    st.integers(1, 60),
)
@settings(max_examples=25, deadline=None)
def test_no_message_is_over_the_limit(
    channel: str, quotes: list[str], title: str, reason: str, products: list[str], count: int
) -> None:
    fields = {"quotes": tuple(quotes), "title": title, "reason": reason, "products": tuple(products)}
    request = HOOKS[channel](notice(*(event(number, **fields) for number in range(count))), TARGET)
    assert len(request.body) <= LIMITS[channel]
    json.loads(request.body)


@pytest.mark.parametrize("channel", sorted(HOOKS))
def test_shortened_quotes_and_left_out_events_are_said(channel: str) -> None:
    long = event(quotes=("很长的引文" * 2000,) * 3)
    assert "已缩短" in whole(channel, notice(long)) or '"quotes_shortened":true' in whole(channel, notice(long))
    many = notice(*(event(number, quotes=("长引文" * 100,) * 3) for number in range(300)))
    assert "未列出" in whole(channel, many) or '"events_left_out":' in whole(channel, many)
    assert '"events_left_out":0' not in whole(channel, many)


def test_webhook_verifies_with_the_reference_and_carries_stable_ids() -> None:
    old = Secret(value=new_webhook_secret(b"o" * 32), until=AT)
    request = HOOKS["webhook"](notice(event(1), event(2)), replace(TARGET, secrets=(*TARGET.secrets, old)))
    document = Webhook(SECRET).verify(request.body, dict(request.headers))
    assert request.headers["webhook-id"] == "dlv_1"
    assert document["type"] == "theme.digest"
    assert [entry["id"] for entry in document["data"]["events"]] == ["evt_1", "evt_2"]
    assert " " not in request.headers["webhook-signature"]  # the old secret's time has passed


def test_dingtalk_and_feishu_are_signed() -> None:
    url = HOOKS["dingtalk"](notice(event()), TARGET).url
    assert "&timestamp=" in url
    assert "&sign=" in url
    assert {"timestamp", "sign"} <= set(json.loads(whole("feishu", notice(event()))))


@pytest.mark.parametrize("channel", ["dingtalk", "wecom"])
def test_markup_in_customers_words_does_nothing_in_markdown(channel: str) -> None:
    hostile = event(quotes=(HOSTILE,), title=HOSTILE, reason=HOSTILE, products=(HOSTILE,))
    text = whole(channel, replace(notice(hostile), links={}))
    content = json.loads(text)["markdown"].get("text") or json.loads(text)["markdown"]["content"]
    assert not set("<[]`@") & set(content)


@pytest.mark.parametrize("channel", ["feishu", "slack"])
def test_customers_words_are_plain_text_elements(channel: str) -> None:
    hostile = event(quotes=(HOSTILE,), title=HOSTILE)

    def texts(node: Any) -> list[dict[str, Any]]:
        if isinstance(node, list):
            return [found for entry in node for found in texts(entry)]
        if not isinstance(node, dict):
            return []
        own = [node] if any("script" in str(value) for value in node.values() if isinstance(value, str)) else []
        return own + [found for value in node.values() for found in texts(value)]

    document = json.loads(whole(channel, notice(hostile)))
    found = texts(document.get("card") or document["blocks"])
    assert found
    assert {node.get("tag") or node.get("type") for node in found} == {"plain_text"}
    if channel == "slack":
        assert "<!channel>" not in document["text"]


def test_mail_has_both_parts_one_id_and_no_injected_header() -> None:
    hostile = event(title="标题\r\nBcc: victim@example.org", quotes=(HOSTILE,))
    message = email.compose(notice(hostile), sender="反馈 <feedback@shop.example>", to=("a@b.example", "c@d.example"))
    parsed = message_from_bytes(message.as_bytes(), policy=policy.default)
    assert parsed["Bcc"] is None
    assert parsed["Message-ID"] == "<dlv_1@shop.example>"
    assert "标题" in parsed["Subject"]
    html = parsed.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "说明书" not in html
    assert parsed.get_body(("plain",)) is not None


def test_jira_issue_and_comment_carry_what_finds_them_again() -> None:
    body = jira.issue(notice(event()), event(), TARGET)["fields"]
    assert body["project"] == {"key": "PROD"}
    assert jira.theme_label("thm_sample") in body["labels"]
    assert body["description"]["type"] == "doc"
    assert jira.comment(notice(event()), event())["properties"][0]["value"] == {"event": "evt_1"}
    assert " " not in jira.theme_label("主题 一")
    assert jira.theme_label("主题一") != jira.theme_label("主题二")


@pytest.mark.parametrize("channel", sorted(HOOKS))
def test_a_sample_says_that_it_is_one(channel: str) -> None:
    text = whole(channel, notice(event(), form="sample"))
    assert "测试" in text or '"sample":true' in text
