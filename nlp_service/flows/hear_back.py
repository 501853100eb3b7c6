"""Hear back: what a reader of a message decides, by link or by a signed request of the channel."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from nlp_service.core.delivery.links import ACTIONS, ActionLink, open_link
from nlp_service.core.delivery.signing import verify_slack, verify_webhook
from nlp_service.core.delivery.subscriptions import Subscription
from nlp_service.errors import Conflict, Forbidden, InputError, NotFound
from nlp_service.ports import SubscriptionStore, ThemeDecisions

MOST_BY = 100  # characters of the name that a channel gives a person


@dataclass(frozen=True, kw_only=True)
class Heard:
    action: str
    theme_id: str
    by: str


class HearBack:
    """Applies decisions that come in from outside; each is idempotent."""

    def __init__(
        self,
        *,
        subscriptions: SubscriptionStore,
        decisions: ThemeDecisions | None,
        link_keys: Sequence[bytes],
        now: Callable[[], datetime],
    ) -> None:
        self._subscriptions = subscriptions
        self._decisions = decisions
        self._link_keys = link_keys
        self._now = now

    def look(self, token: str) -> ActionLink:
        """Return what a link would do, without doing it; raises Forbidden."""
        return open_link(token, self._link_keys, now=self._now())

    def by_link(self, token: str) -> Heard:
        """Do what a link says; raises Forbidden, NotFound, Conflict."""
        link = self.look(token)
        name = self._subscriptions.get(link.subscription_id).name
        return self._decide(link.action, link.theme_id, by=f"link of {name}")

    def by_webhook(self, key: str, *, message_id: str, timestamp: str, signature: str, body: bytes) -> Heard:
        """Take `{"type": "theme.acknowledge" | "theme.fix", "data": {"theme_id", "by"}}` under Standard Webhooks.

        Raises:
            Forbidden: unknown subscription, wrong signature, or an old request.
            InputError: the body is not of that form.
        """
        subscription = self._known(key)
        target = self._subscriptions.target(key)
        now = self._now()
        secrets = [target.inbound_secret] if target.inbound_secret and subscription.channel != "slack" else []
        if subscription.channel == "webhook":
            secrets += [entry.value for entry in target.secrets if entry.until is None or entry.until > now]
        known = {"message_id": message_id, "timestamp": timestamp, "body": body, "now": int(now.timestamp())}
        if not secrets or not verify_webhook(signature, secrets, **known):  # type: ignore[arg-type]
            raise Forbidden("the signature does not fit this subscription, or the request is older than 5 minutes")
        document = _object(body)
        data = document.get("data")
        if not isinstance(data, dict) or not isinstance(data.get("theme_id"), str):
            raise InputError("data.theme_id is missing: send the theme_id of the event that you answer")
        action = str(document.get("type", "")).removeprefix("theme.")
        return self._decide(action, data["theme_id"], by=_person(data.get("by"), subscription))

    def by_slack(self, key: str, *, timestamp: str, signature: str, body: bytes) -> Heard:
        """Take a button pressed in Slack; raises Forbidden, InputError."""
        subscription = self._known(key)
        secret = self._subscriptions.target(key).inbound_secret
        now = int(self._now().timestamp())
        if subscription.channel != "slack" or not secret:
            raise Forbidden("this subscription takes no buttons of Slack: give it the app's signing secret")
        if not verify_slack(signature, secret, timestamp=timestamp, body=body, now=now):
            raise Forbidden("the signature does not fit this subscription, or the request is older than 5 minutes")
        payload = _object(parse_qs(body.decode("utf-8", "replace")).get("payload", [""])[0].encode())
        actions = payload.get("actions")
        pressed: Any = actions[0] if isinstance(actions, list) and actions else {}
        if not isinstance(pressed, dict) or not isinstance(pressed.get("value"), str):
            raise InputError("the payload names no button of ours")
        user = payload.get("user")
        name = user.get("username") or user.get("id") if isinstance(user, dict) else None
        return self._decide(str(pressed.get("action_id")), pressed["value"], by=_person(name, subscription))

    def _known(self, key: str) -> Subscription:
        try:
            return self._subscriptions.get(key)
        except NotFound:
            raise Forbidden("no such subscription takes requests") from None

    def _decide(self, action: str, theme_id: str, *, by: str) -> Heard:
        if action not in ACTIONS:
            raise InputError(f"action {action[:50]!r} is unknown: use {' or '.join(ACTIONS)}")
        if self._decisions is None:
            raise Conflict("themes are not followed in this process: send it to the server")
        act = self._decisions.acknowledge if action == "acknowledge" else self._decisions.fix
        act(theme_id, by=by, at=self._now())
        return Heard(action=action, theme_id=theme_id, by=by)


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InputError("the body is not a JSON object")
    return document


def _person(name: object, subscription: Subscription) -> str:
    given = " ".join(name.split())[:MOST_BY] if isinstance(name, str) else ""
    return f"{given} ({subscription.name})" if given else subscription.name
