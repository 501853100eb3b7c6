"""WeCom group bot: a Markdown message; the address is the secret."""

from __future__ import annotations

from nlp_service.core.delivery.formats.markdown import markdown
from nlp_service.core.delivery.formats.request import HttpRequest, as_json
from nlp_service.core.delivery.notice import Notice, fit
from nlp_service.core.delivery.subscriptions import Target

LIMIT = 4096  # bytes of the content, not of the body


def compose(notice: Notice, target: Target) -> HttpRequest:
    content = fit(notice, lambda shown: markdown(notice, shown).encode("utf-8", "replace"), LIMIT).decode()
    return HttpRequest(url=target.url or "", body=as_json({"msgtype": "markdown", "markdown": {"content": content}}))
