"""The form of a subscription: what a person typed, checked field by field, and as the API takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from starlette.datastructures import FormData

from nlp_service.core.delivery.events import ALARMING_KINDS, SEVERITIES
from nlp_service.wire.subscriptions import SubscriptionIn

SECRETS = ("secret", "inbound_secret", "token")  # never sent back to the browser, not even after a fault
HOOKS = ("webhook", "feishu", "dingtalk", "wecom", "slack")
LISTS = ("departments", "kinds")


@dataclass(frozen=True, kw_only=True)
class Entered:
    """What stands in the form."""

    values: Mapping[str, str] = field(default_factory=dict)
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # the boxes ticked, by list

    @classmethod
    def empty(cls, *, time_zone: str, language: str, departments: tuple[str, ...] = ()) -> Entered:
        """Return what a new form begins with: everything but name and address is sane as it stands."""
        values = {
            "name": "", "channel": "webhook", "url": "", "to": "", "user": "", "project": "", "issue_type": "Task",
            "products": "", "least_percent": "0", "least_customers": "0", "least_severity": SEVERITIES[0],
            "when": "at_once", "at": "09:07", "weekday": "0", "timezone": time_zone, "quiet_from": "",
            "quiet_until": "", "critical_wakes": "on", "language": language,
        }  # fmt: skip
        return cls(values=values, chosen={"departments": departments, "kinds": ALARMING_KINDS})

    @classmethod
    def of(cls, form: FormData) -> Entered:
        """Read a form that was sent; a box that is not ticked is not sent at all."""
        values = {key: str(value).strip() for key, value in form.items() if key not in LISTS}
        chosen = {name: tuple(str(value) for value in form.getlist(name)) for name in LISTS}
        return cls(values={"critical_wakes": "", **values}, chosen=chosen)

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    def shown(self, name: str) -> str:
        """Return what may stand in a field again."""
        return "" if name in SECRETS else self.get(name)

    def read(self) -> SubscriptionIn | dict[str, str]:
        """Return the subscription, or for each field at fault the key of the text that says what to write."""
        faults = self._faults()
        if faults:
            return faults
        try:
            return SubscriptionIn.model_validate(self._document())
        except ValidationError as exc:
            return {_NAMES.get(str(item["loc"][-1]), str(item["loc"][-1])): "fault.value" for item in exc.errors()}

    def _faults(self) -> dict[str, str]:
        channel, found = self.get("channel"), {}
        if not self.get("name"):
            found["name"] = "fault.name"
        if channel in (*HOOKS, "jira") and not self.get("url").startswith(("https://", "http://")):
            found["url"] = "fault.url"
        if channel == "email" and not self._addresses():
            found["to"] = "fault.to"
        if channel == "jira":
            found |= {name: "fault.needed" for name in ("user", "token", "project") if not self.get(name)}
        if bool(self.get("quiet_from")) != bool(self.get("quiet_until")):
            found["quiet_until"] = "fault.quiet"
        if not self.chosen["kinds"]:
            found["kinds"] = "fault.kinds"
        for name, top in (("least_percent", 100.0), ("least_customers", 1e9)):
            if not _within(self.get(name) or "0", top):
                found[name] = "fault.number"
        return found

    def _document(self) -> dict[str, Any]:
        channel = self.get("channel")
        target: dict[str, Any] = {}
        if channel == "email":
            target["to"] = self._addresses()
        else:
            target |= {name: self.get(name) for name in ("url", "secret", "inbound_secret")}
        if channel == "jira":
            target |= {name: self.get(name) for name in ("user", "token", "project", "issue_type")}
        return {
            "name": self.get("name"),
            "channel": channel,
            "target": {key: value for key, value in target.items() if value},
            "filter": {
                "departments": list(self.chosen["departments"]),
                "kinds": list(self.chosen["kinds"]),
                "products": _listed(self.get("products")),
                "least_share": round(float(self.get("least_percent") or 0) / 100, 6),
                "least_customers": int(float(self.get("least_customers") or 0)),
                "least_severity": self.get("least_severity"),
            },
            "rhythm": {
                "when": self.get("when"),
                "timezone": self.get("timezone"),
                "at": self.get("at") or "09:07",
                "weekday": self.get("weekday") or 0,
                "quiet_from": self.get("quiet_from") or None,
                "quiet_until": self.get("quiet_until") or None,
                "critical_wakes": bool(self.get("critical_wakes")),
            },
            "language": self.get("language"),
        }

    def _addresses(self) -> list[str]:
        return [part for entry in _listed(self.get("to").replace(";", ",")) for part in entry.split()]


_NAMES = {"least_share": "least_percent"}  # fields of the API that the form calls otherwise


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.replace("，", ",").split(",") if part.strip()]


def _within(text: str, top: float) -> bool:
    try:
        return 0 <= float(text) <= top
    except ValueError:
        return False
