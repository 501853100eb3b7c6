"""DingTalk custom bot: a Markdown message, signed in the address."""

from __future__ import annotations

from nlp_service.core.delivery.formats.markdown import markdown
from nlp_service.core.delivery.formats.request import HttpRequest, as_json
from nlp_service.core.delivery.notice import Notice, Shown, fit
from nlp_service.core.delivery.signing import sign_dingtalk
from nlp_service.core.delivery.subscriptions import Target
from nlp_service.core.delivery.wording import headline, plain

LIMIT = 20_000  # bytes


def compose(notice: Notice, target: Target) -> HttpRequest:
    """Return the message; with a secret the address gets timestamp and sign."""
    title = plain(headline(notice))

    def render(shown: Shown) -> bytes:
        content = {"title": title, "text": markdown(notice, shown)}
        return as_json({"msgtype": "markdown", "markdown": content, "at": {"atMobiles": [], "isAtAll": False}})

    return HttpRequest(url=_signed_address(target, notice), body=fit(notice, render, LIMIT))


def _signed_address(target: Target, notice: Notice) -> str:
    url = target.url or ""
    if not target.secrets:
        return url
    timestamp = int(notice.at.timestamp() * 1000)
    sign = sign_dingtalk(target.secrets[0].value, timestamp_ms=timestamp)
    return f"{url}{'&' if '?' in url else '?'}timestamp={timestamp}&sign={sign}"
