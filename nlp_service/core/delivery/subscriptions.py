"""What a team wants to hear of, when, and where; and the decision whether an event is for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from nlp_service.core.delivery.events import ALARMING_KINDS, KINDS, SEVERITIES, ThemeEvent
from nlp_service.errors import InputError

CHANNELS = ("webhook", "feishu", "dingtalk", "wecom", "slack", "email", "jira")
RHYTHMS = ("at_once", "daily", "weekly")
STATES = ("active", "paused", "disabled")
LANGUAGES = ("zh", "en")


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Conditions that must all hold; an empty list asks nothing."""

    departments: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ALARMING_KINDS
    least_share: float = 0.0
    least_customers: int = 0
    least_severity: str = SEVERITIES[0]

    def __post_init__(self) -> None:
        _known("kind", self.kinds, KINDS)
        _known("severity", (self.least_severity,), SEVERITIES)
        if not 0 <= self.least_share <= 1:
            raise InputError(f"least share {self.least_share} is not within 0 to 1: write 0.05 for 5%")
        if self.least_customers < 0:
            raise InputError(f"least number of customers {self.least_customers} is negative")


@dataclass(frozen=True, kw_only=True)
class Rhythm:
    """When a team wants to be told, on its own clock."""

    when: str = "at_once"  # one of RHYTHMS
    timezone: str = "Asia/Shanghai"
    at: time = time(9, 7)  # of digests; not the full hour, when every bot of the world speaks
    weekday: int = 0  # of weekly digests, Monday = 0
    quiet_from: time | None = None  # no message from here
    quiet_until: time | None = None  # to here; over midnight where it is the earlier one
    critical_wakes: bool = True  # a critical event is sent in quiet hours too

    def __post_init__(self) -> None:
        _known("rhythm", (self.when,), RHYTHMS)
        if not 0 <= self.weekday <= 6:
            raise InputError(f"weekday {self.weekday} is not within 0 (Monday) to 6 (Sunday)")
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise InputError("quiet hours need both ends, for example 22:00-08:00")
        try:
            ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InputError(f"time zone {self.timezone!r} is unknown: use a name such as Asia/Shanghai") from None


@dataclass(frozen=True, kw_only=True)
class Secret:
    value: str = field(repr=False)
    until: datetime | None = None  # an old one still signs until here, so that the receiver can change over


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a channel leads to; kept sealed, never logged. ``check_target`` says what each channel needs."""

    url: str | None = field(default=None, repr=False)  # of a hook; for some channels the address is the secret
    secrets: tuple[Secret, ...] = ()  # newest first
    inbound_secret: str | None = field(default=None, repr=False)  # verifies what the channel sends to us
    to: tuple[str, ...] = ()  # mail addresses
    user: str | None = None  # Jira account
    token: str | None = field(default=None, repr=False)  # Jira API token
    project: str | None = None  # Jira project key
    issue_type: str = "Task"


@dataclass(frozen=True, kw_only=True)
class Subscription:
    id: str
    name: str
    channel: str  # one of CHANNELS
    filter: Filter = field(default_factory=Filter)
    rhythm: Rhythm = field(default_factory=Rhythm)
    language: str = "zh"
    state: str = "active"  # one of STATES
    state_reason: str = ""
    address: str = ""  # the target as it may be shown
    created_at: datetime | None = None

    def __post_init__(self) -> None:
        _known("channel", (self.channel,), CHANNELS)
        _known("language", (self.language,), LANGUAGES)
        _known("state", (self.state,), STATES)
        if not self.name.strip():
            raise InputError("a subscription needs a name, for example the team's")


@dataclass(frozen=True, kw_only=True)
class Match:
    wanted: bool
    because: str


def match(event: ThemeEvent, wanted: Filter) -> Match:
    """Decide whether an event is for a subscription; the first condition that fails is the reason."""
    share = event.share.value if event.share else 0.0
    severity = SEVERITIES.index(event.severity)
    conditions = (
        (event.kind in wanted.kinds, f"kind {event.kind} is not asked for"),
        (_meets(wanted.departments, event.departments), f"departments {_listed(event.departments)} are not asked for"),
        (_meets(wanted.products, event.products), f"products {_listed(event.products)} are not asked for"),
        (share >= wanted.least_share, f"share {share:.4f} is under {wanted.least_share:.4f}"),
        (event.customers >= wanted.least_customers, f"{event.customers} customers, asked are {wanted.least_customers}"),
        (severity >= SEVERITIES.index(wanted.least_severity), f"severity {event.severity} is not asked for"),
    )
    for holds, otherwise in conditions:
        if not holds:
            return Match(wanted=False, because=otherwise)
    return Match(wanted=True, because="every condition holds")


def due(rhythm: Rhythm, *, at: datetime, severity: str = SEVERITIES[0]) -> datetime:
    """Return when something that happened ``at`` is to be sent: never before, never in quiet hours."""
    if rhythm.when == "at_once":
        return after_quiet(rhythm, at=at, severity=severity)
    zone = ZoneInfo(rhythm.timezone)
    local = at.astimezone(zone)
    for days in range(9):  # a day whose hour is past, and a week
        day = local.date() + timedelta(days=days)
        moment = datetime.combine(day, rhythm.at, tzinfo=zone)
        is_day = rhythm.when == "daily" or day.weekday() == rhythm.weekday
        if is_day and moment.timestamp() > at.timestamp():
            return moment.astimezone(at.tzinfo)
    raise AssertionError("a week has every weekday")


def after_quiet(rhythm: Rhythm, *, at: datetime, severity: str = SEVERITIES[0]) -> datetime:
    """Return ``at``, or the end of the quiet hours that it lies in."""
    start, end = rhythm.quiet_from, rhythm.quiet_until
    if start is None or end is None or start == end or (rhythm.critical_wakes and severity == SEVERITIES[-1]):
        return at
    zone = ZoneInfo(rhythm.timezone)
    local = at.astimezone(zone)
    clock = local.time().replace(tzinfo=None)
    over_midnight = start > end
    is_quiet = (clock >= start or clock < end) if over_midnight else start <= clock < end
    if not is_quiet:
        return at
    day = local.date() + timedelta(days=1 if over_midnight and clock >= start else 0)
    moment = datetime.combine(day, end, tzinfo=zone).astimezone(at.tzinfo)
    return max(at, moment)


def check_target(channel: str, target: Target) -> None:
    """Refuse a target that lacks what its channel needs; raises InputError naming it."""
    if channel == "email":
        wrong = [address for address in target.to if not _looks_like_mail(address)]
        if not target.to or wrong:
            raise InputError(f"channel email needs mail addresses, got {', '.join(wrong) or 'none'}: use --to")
        return
    if not target.url:
        raise InputError(f"channel {channel} needs the address of its hook: use --url")
    if not target.url.startswith(("https://", "http://")) or len(target.url) > 2000:
        raise InputError(f"the address of channel {channel} must begin with https:// (or http:// in your own network)")
    if channel == "jira" and not (target.user and target.token and target.project):
        raise InputError("channel jira needs user, token and project key: use --user, --token and --project")


def shown_address(channel: str, target: Target) -> str:
    """Return the target as people may see it: of a hook only its host, because its path may be the secret."""
    if channel == "email":
        return ", ".join(target.to)
    scheme, _, rest = (target.url or "").partition("://")
    host = rest.split("/", 1)[0].rpartition("@")[2].split("?", 1)[0]
    return f"{scheme}://{host}/… {target.project}" if channel == "jira" else f"{scheme}://{host}/…"


def encode_filter(wanted: Filter) -> dict[str, Any]:
    """Return JSON-ready data."""
    return {
        "departments": list(wanted.departments),
        "products": list(wanted.products),
        "kinds": list(wanted.kinds),
        "least_share": wanted.least_share,
        "least_customers": wanted.least_customers,
        "least_severity": wanted.least_severity,
    }


def decode_filter(document: Mapping[str, Any]) -> Filter:
    lists = {name: tuple(document[name]) for name in ("departments", "products", "kinds")}
    return Filter(**{**document, **lists})


def encode_rhythm(rhythm: Rhythm) -> dict[str, Any]:
    """Return JSON-ready data."""
    return {
        "when": rhythm.when,
        "timezone": rhythm.timezone,
        "at": rhythm.at.isoformat("minutes"),
        "weekday": rhythm.weekday,
        "quiet_from": rhythm.quiet_from and rhythm.quiet_from.isoformat("minutes"),
        "quiet_until": rhythm.quiet_until and rhythm.quiet_until.isoformat("minutes"),
        "critical_wakes": rhythm.critical_wakes,
    }


def decode_rhythm(document: Mapping[str, Any]) -> Rhythm:
    clocks = {name: document[name] and time.fromisoformat(document[name]) for name in ("quiet_from", "quiet_until")}
    return Rhythm(**{**document, **clocks, "at": time.fromisoformat(document["at"])})


def encode_target(target: Target) -> dict[str, Any]:
    """Return JSON-ready data, secrets in the clear: to be sealed."""
    secrets = [[secret.value, secret.until and secret.until.isoformat()] for secret in target.secrets]
    return {
        "url": target.url,
        "secrets": secrets,
        "inbound_secret": target.inbound_secret,
        "to": list(target.to),
        "user": target.user,
        "token": target.token,
        "project": target.project,
        "issue_type": target.issue_type,
    }


def decode_target(document: Mapping[str, Any]) -> Target:
    secrets = tuple(
        Secret(value=value, until=until and datetime.fromisoformat(until)) for value, until in document["secrets"]
    )
    return Target(**{**document, "secrets": secrets, "to": tuple(document["to"])})


def _known(name: str, given: tuple[str, ...], known: tuple[str, ...]) -> None:
    unknown = [value for value in given if value not in known]
    if unknown:
        raise InputError(f"{name} {', '.join(map(repr, unknown))} is unknown: use one of {', '.join(known)}")


def _meets(asked: tuple[str, ...], given: tuple[str, ...]) -> bool:
    return not asked or bool(set(asked) & set(given))


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "(none)"


def _looks_like_mail(address: str) -> bool:
    name, at, host = address.partition("@")
    return bool(name and at and host) and not set(address) & set(" \t\r\n,;<>\"'") and "@" not in host
