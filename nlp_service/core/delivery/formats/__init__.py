"""One file a channel: from what is to be said to what is sent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nlp_service.core.delivery.formats import dingtalk, feishu, slack, webhook, wecom
from nlp_service.core.delivery.formats.request import HttpRequest
from nlp_service.core.delivery.notice import Notice
from nlp_service.core.delivery.subscriptions import Target

HOOKS: Mapping[str, Callable[[Notice, Target], HttpRequest]] = {
    "webhook": webhook.compose,
    "feishu": feishu.compose,
    "dingtalk": dingtalk.compose,
    "wecom": wecom.compose,
    "slack": slack.compose,
}

__all__ = ["HOOKS", "HttpRequest"]
