"""Subscriptions and deliveries as the API takes and shows them."""

from __future__ import annotations

from datetime import time
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, StringConstraints

from nlp_service.core.delivery.events import ALARMING_KINDS, encode
from nlp_service.core.delivery.records import Delivery
from nlp_service.core.delivery.subscriptions import Filter, Rhythm, Secret, Subscription, Target, encode_rhythm

Word = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Words = Annotated[list[Word], Field(max_length=100)]
Channel = Literal["webhook", "feishu", "dingtalk", "wecom", "slack", "email", "jira"]
Severity = Literal["minor", "major", "critical"]

EXAMPLE: dict[str, Any] = {
    "name": "产品组",
    "channel": "feishu",
    "target": {"url": "https://open.feishu.cn/open-apis/bot/v2/hook/0a1b", "secret": "s3cret"},
    "filter": {"departments": ["product_team"], "least_share": 0.02},
    "rhythm": {"when": "at_once", "quiet_from": "22:00", "quiet_until": "08:00"},
}


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class FilterIn(_In):
    departments: Words = Field(default_factory=list, description="Only themes of these departments; empty: all.")
    products: Words = Field(default_factory=list, description="Only themes of these products; empty: all.")
    kinds: Words = Field(default_factory=lambda: list(ALARMING_KINDS), description="Events that are asked for.")
    least_share: float = Field(0.0, ge=0, le=1, description="Share of all feedback; 0.05 for 5%.")
    least_customers: int = Field(0, ge=0, le=10**9, description="Distinct customers.")
    least_severity: Severity = Field("minor", description="Least severity.")

    def to_filter(self) -> Filter:
        lists = {name: tuple(getattr(self, name)) for name in ("departments", "products", "kinds")}
        return Filter(**{**self.model_dump(), **lists})


class RhythmIn(_In):
    when: Literal["at_once", "daily", "weekly"] = Field("at_once", description="At once, or gathered in a digest.")
    timezone: Word = Field("Asia/Shanghai", description="On whose clock.")
    at: time = Field(time(9, 7), description="Clock time of digests.")
    weekday: int = Field(0, ge=0, le=6, description="Day of weekly digests, Monday is 0.")
    quiet_from: time | None = Field(None, description="Nothing is sent from here …")
    quiet_until: time | None = Field(None, description="… to here; over midnight where it is the earlier one.")
    critical_wakes: bool = Field(True, description="Critical events are sent in quiet hours too.")

    def to_rhythm(self) -> Rhythm:
        clocks = {name: getattr(self, name) for name in ("at", "quiet_from", "quiet_until")}
        plain = {name: value and value.replace(tzinfo=None, second=0, microsecond=0) for name, value in clocks.items()}
        return Rhythm(**{**self.model_dump(), **plain})


class TargetIn(_In):
    url: Annotated[str, StringConstraints(max_length=2000)] | None = Field(
        None, description="Address of the hook; of Jira the site's. Kept encrypted, never shown again."
    )
    secret: SecretStr | None = Field(None, description="Signing secret; for `webhook` one is made where none is given.")
    inbound_secret: SecretStr | None = Field(None, description="Verifies what the channel sends back.")
    to: Words = Field(default_factory=list, description="Mail addresses.")
    user: Word | None = Field(None, description="Jira account.")
    token: SecretStr | None = Field(None, description="Jira API token.")
    project: Word | None = Field(None, description="Jira project key.")
    issue_type: Word = Field("Task", description="Jira issue type.")

    def to_target(self) -> Target:
        return Target(
            url=self.url,
            secrets=(Secret(value=self.secret.get_secret_value()),) if self.secret else (),
            inbound_secret=self.inbound_secret.get_secret_value() if self.inbound_secret else None,
            to=tuple(self.to),
            user=self.user,
            token=self.token.get_secret_value() if self.token else None,
            project=self.project,
            issue_type=self.issue_type,
        )


class SubscriptionIn(_In):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE})

    name: Word = Field(description="The team's name; unique.")
    channel: Channel = Field(description="Where to.")
    target: TargetIn = Field(description="The endpoint; which fields it needs depends on the channel.")
    filter: FilterIn = Field(default_factory=FilterIn, description="What is asked for.")
    rhythm: RhythmIn = Field(default_factory=RhythmIn, description="When.")
    language: Literal["zh", "en"] = Field("zh", description="Of the messages.")


class SubscriptionChangeIn(_In):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"filter": {"least_share": 0.05}}})

    name: Word | None = Field(None, description="A new name.")
    filter: FilterIn | None = Field(None, description="A new filter, whole.")
    rhythm: RhythmIn | None = Field(None, description="A new rhythm, whole.")


class RotateIn(_In):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {}})

    secret: SecretStr | None = Field(None, description="The new secret; for `webhook` one is made where none is given.")


class SubscriptionOut(BaseModel):
    id: str = Field(description="Stays when the name changes.", examples=["sub_0a1b2c"])
    name: str = Field(description="The team's name.", examples=["产品组"])
    channel: str = Field(description="Where to.", examples=["feishu"])
    address: str = Field(description="The endpoint as it may be shown.", examples=["https://open.feishu.cn/…"])
    filter: dict[str, Any] = Field(description="What is asked for.")
    rhythm: dict[str, Any] = Field(description="When.")
    language: str = Field(description="Of the messages.")
    state: str = Field(description="active, paused or disabled.", examples=["active"])
    state_reason: str = Field(description="Why it is not active.")
    created_at: AwareDatetime | None = Field(description="When it was made.")
    secret: str | None = Field(None, description="The secret that was made for the receiver; shown this once.")

    @classmethod
    def of(cls, subscription: Subscription, *, secret: str | None = None) -> SubscriptionOut:
        shown = {name: getattr(subscription, name) for name in ("id", "name", "channel", "address", "language")}
        return cls(
            **shown,
            filter=vars(subscription.filter),
            rhythm=encode_rhythm(subscription.rhythm),
            state=subscription.state,
            state_reason=subscription.state_reason,
            created_at=subscription.created_at,
            secret=secret,
        )


class SampleOut(BaseModel):
    delivery_id: str = Field(description="The delivery's id.")
    outcome: str = Field(description="delivered, or what went wrong.", examples=["delivered"])
    status: int | None = Field(description="Of HTTP or SMTP.")
    code: str | None = Field(description="The channel's own code.")
    detail: str = Field(description="Part of the answer, or what went wrong.")


class AttemptOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    number: int = Field(description="1 for the first.")
    started_at: AwareDatetime = Field(description="When it was claimed.")
    ended_at: AwareDatetime | None = Field(description="When it ended; null while it lasts.")
    outcome: str | None = Field(description="delivered, refused, throttled, gone, invalid, unreachable, interrupted, …")
    status: int | None = Field(description="Of HTTP or SMTP.")
    code: str | None = Field(description="The channel's own code.")
    detail: str = Field(description="Part of the answer.")
    verdict: str | None = Field(description="done, retry, disable or dead.")
    because: str = Field(description="The verdict's reason.")


class DeliveryOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="The same on every attempt: the receiver's idempotency key.", examples=["dlv_4f0c"])
    subscription_id: str = Field(description="For whom.")
    subscription: str = Field(description="The team's name.")
    channel: str = Field(description="Over what.")
    form: str = Field(description="event, digest or sample.")
    state: str = Field(description="open, done, dead, or merged into a digest.")
    reason: str = Field(description="Of the state.")
    theme_id: str | None = Field(description="The theme; null for a digest.")
    due_at: AwareDatetime = Field(description="Next attempt, where it is open.")
    created_at: AwareDatetime = Field(description="When the event happened.")
    ended_at: AwareDatetime | None = Field(description="When it was done or given up.")
    failures: int = Field(description="Attempts that failed.")


class DeliveryDetailOut(DeliveryOut):
    attempts: list[AttemptOut] = Field(description="Every attempt.")
    events: list[dict[str, Any]] = Field(description="What is sent, quotes masked.")

    @classmethod
    def of(cls, delivery: Delivery) -> DeliveryDetailOut:
        shown = DeliveryOut.model_validate(delivery).model_dump()
        attempts = [AttemptOut.model_validate(attempt) for attempt in delivery.attempts]
        return cls(**shown, attempts=attempts, events=[encode(event) for event in delivery.events])


class DeliveryPageOut(BaseModel):
    deliveries: list[DeliveryOut] = Field(description="Newest first.")
    before: int | None = Field(description="Give it to get the next page; null at the end.")


class ResentOut(BaseModel):
    deliveries: int = Field(description="How many will be sent again.")


class HeardBackOut(BaseModel):
    action: str = Field(description="acknowledge or fix.")
    theme_id: str = Field(description="The theme.")
    by: str = Field(description="Under whose name it was recorded.")
