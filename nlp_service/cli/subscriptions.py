"""`nlp-service subscriptions`: which team is told of what, and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import time

import typer
from rich.console import Console
from rich.table import Table

from nlp_service.bootstrap.delivery import Delivery, open_delivery
from nlp_service.bootstrap.parts import open_database, open_taxonomy
from nlp_service.cli.who import BY
from nlp_service.core.delivery.events import ALARMING_KINDS, KINDS, SEVERITIES
from nlp_service.core.delivery.subscriptions import CHANNELS, RHYTHMS, Filter, Rhythm, Secret, Subscription, Target
from nlp_service.errors import BundleError, InputError, Unavailable
from nlp_service.settings import Settings

app = typer.Typer(help="Say which team is told of which themes, and where.", no_args_is_help=True)
Key = typer.Argument(help="The subscription's name or id.")


@app.command("create")
def create(
    name: str = typer.Argument(help="The team's name, for example 产品组."),
    *,
    channel: str = typer.Option(..., "--channel", "-c", help=f"One of {', '.join(CHANNELS)}."),
    url: str | None = typer.Option(None, "--url", help="Address of the hook; of Jira the site's."),
    secret: str | None = typer.Option(None, "--secret", help="Signing secret; for webhook one is made and shown."),
    inbound_secret: str | None = typer.Option(None, "--inbound-secret", help="Verifies what comes back."),
    to: list[str] = typer.Option([], "--to", help="Mail address; repeat for several."),
    user: str | None = typer.Option(None, "--user", help="Jira account."),
    token: str | None = typer.Option(None, "--token", help="Jira API token.", envvar="NLP_SERVICE_JIRA_TOKEN"),
    project: str | None = typer.Option(None, "--project", help="Jira project key."),
    issue_type: str = typer.Option("Task", "--issue-type", help="Jira issue type."),
    department: list[str] = typer.Option([], "--department", "-d", help="Only its themes; repeat for several."),
    product: list[str] = typer.Option([], "--product", help="Only these products; repeat for several."),
    kind: list[str] = typer.Option(list(ALARMING_KINDS), "--kind", help=f"Events, of {', '.join(KINDS)}."),
    least_share: float = typer.Option(0.0, "--least-share", help="Share of all feedback, 0.05 for 5%."),
    least_customers: int = typer.Option(0, "--least-customers", help="Distinct customers."),
    severity: str = typer.Option(SEVERITIES[0], "--severity", help=f"Least, of {', '.join(SEVERITIES)}."),
    when: str = typer.Option("at_once", "--when", help=f"One of {', '.join(RHYTHMS)}."),
    at: str = typer.Option("09:07", "--at", help="Clock time of digests."),
    weekday: int = typer.Option(0, "--weekday", help="Day of weekly digests, Monday is 0."),
    quiet: str | None = typer.Option(None, "--quiet", help="Quiet hours, for example 22:00-08:00."),
    timezone: str = typer.Option("Asia/Shanghai", "--timezone", help="On whose clock."),
    language: str = typer.Option("zh", "--language", help="Of the messages: zh or en."),
) -> None:
    """Tell a team of themes over a channel.

    Example:
      nlp-service subscriptions create 产品组 --channel feishu --url https://open.feishu.cn/open-apis/bot/v2/hook/…
        --secret … --department product_team --least-share 0.02 --quiet 22:00-08:00
    """
    target = Target(
        url=url,
        secrets=(Secret(value=secret),) if secret else (),
        inbound_secret=inbound_secret,
        to=tuple(to),
        user=user,
        token=token,
        project=project,
        issue_type=issue_type,
    )
    wanted = Filter(
        departments=tuple(department),
        products=tuple(product),
        kinds=tuple(kind),
        least_share=least_share,
        least_customers=least_customers,
        least_severity=severity,
    )
    rhythm = _rhythm(when=when, timezone=timezone, at=at, weekday=weekday, quiet=quiet)
    with _delivery() as delivery:
        created = delivery.subscribe.create(
            name=name, channel=channel, target=target, wanted=wanted, rhythm=rhythm, language=language, by=BY
        )
    _say(f"subscription {created.subscription.name} is active: {created.subscription.address}")
    _show_secret(created.secret)
    _say(f"try it: nlp-service subscriptions test {created.subscription.name}")


@app.command("list")
def list_() -> None:
    """List subscriptions with their state.

    Example: nlp-service subscriptions list
    """
    with _delivery() as delivery:
        found = delivery.subscriptions.all()
    table = Table("name", "channel", "where", "departments", "when", "state")
    for entry in found:
        departments = ", ".join(entry.filter.departments) or "all"
        table.add_row(entry.name, entry.channel, entry.address, departments, entry.rhythm.when, _state(entry))
    Console().print(table)


@app.command("test")
def send_sample(key: str = Key) -> None:
    """Send a sample now and show what the endpoint answered.

    Example: nlp-service subscriptions test 产品组
    """
    with _delivery() as delivery:
        sampled = delivery.sample(key)
    outcome = sampled.outcome
    said = " ".join(str(part) for part in (outcome.kind, outcome.status, outcome.code, outcome.detail) if part)
    if outcome.kind != "delivered":
        raise Unavailable(f"the sample was not taken: {said}")
    _say(f"the sample was taken: {said}")


@app.command("pause")
def pause(key: str = Key) -> None:
    """Hold back what a team would get; it is collected.

    Example: nlp-service subscriptions pause 产品组
    """
    with _delivery() as delivery:
        _say(f"{delivery.subscribe.pause(key, by=BY).name} is paused")


@app.command("resume")
def resume(key: str = Key) -> None:
    """Send again, also to an endpoint that was switched off.

    Example: nlp-service subscriptions resume 产品组
    """
    with _delivery() as delivery:
        _say(f"{delivery.subscribe.resume(key, by=BY).name} is active")


@app.command("rotate")
def rotate(
    key: str = Key,
    secret: str | None = typer.Option(None, "--secret", help="The new one; for webhook one is made and shown."),
) -> None:
    """Take a new signing secret; the old one of a webhook signs as well for a day.

    Example: nlp-service subscriptions rotate 产品组
    """
    with _delivery() as delivery:
        created = delivery.subscribe.rotate(key, secret=secret, by=BY)
    _say(f"{created.subscription.name} has a new secret")
    _show_secret(created.secret)


@app.command("remove")
def remove(key: str = Key) -> None:
    """Remove a subscription and what is queued for it.

    Example: nlp-service subscriptions remove 产品组
    """
    with _delivery() as delivery:
        delivery.subscribe.remove(key, by=BY)
    _say(f"{key} is removed")


@contextmanager
def _delivery() -> Iterator[Delivery]:
    settings = Settings()
    try:
        departments = open_taxonomy(settings).departments
    except BundleError:  # subscriptions can be made before there is a model
        departments = None
    with open_database(settings) as database:
        yield open_delivery(settings, database, departments=departments)


def _rhythm(*, when: str, timezone: str, at: str, weekday: int, quiet: str | None) -> Rhythm:
    start, end = _quiet(quiet)
    return Rhythm(when=when, timezone=timezone, at=_clock(at), weekday=weekday, quiet_from=start, quiet_until=end)


def _clock(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise InputError(f"{text!r} is not a clock time: write for example 22:00") from None


def _quiet(text: str | None) -> tuple[time | None, time | None]:
    if text is None:
        return None, None
    start, dash, end = text.partition("-")
    if not dash:
        raise InputError(f"quiet hours {text!r} need both ends: write for example 22:00-08:00")
    return _clock(start.strip()), _clock(end.strip())


def _state(subscription: Subscription) -> str:
    reason = f": {subscription.state_reason}" if subscription.state_reason else ""
    return f"{subscription.state}{reason}"


def _show_secret(secret: str | None) -> None:
    if secret:
        _say("The receiver verifies with this secret, which is shown this once:")
        typer.echo(secret)


def _say(text: str) -> None:
    Console(stderr=True).print(text, highlight=False, soft_wrap=True, markup=False)
