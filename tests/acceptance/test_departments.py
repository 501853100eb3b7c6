"""A viewer of one department gets nothing of another: every route of the API and of the pages is asked.

Another department's data carry two marks: SECRET in all that is said, and FOREIGN in every id. A new route is asked
without anybody adding it here; one with a path parameter of a new name fails until such a thing is seeded.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import insert

from nlp_service.adapters.db.deliveries import enqueue
from nlp_service.adapters.db.tables import theme_members
from nlp_service.bootstrap.service import Service
from nlp_service.core.access import Scope
from nlp_service.core.delivery.subscriptions import Filter, Target
from nlp_service.core.jobs import JobProgress
from nlp_service.core.labelling import ModelIdentity
from nlp_service.core.themes.values import Anchor, Change, Flood, Quote, SubTheme, Theme
from nlp_service.settings import Settings
from nlp_service.web.app import create_app
from nlp_service.web.dashboard.access import COOKIE
from tests.api_calls import Call, Values, api_calls, page_calls
from tests.bundles import HIDDEN, write_bundle
from tests.examples import labelling, message, theme

OWN, OTHER = "logistics", "tech_support"
SECRET, FOREIGN = "quokka", "kereru"
PARAMETERS = {
    "theme_id": (f"thm_{FOREIGN}", "thm_shared"),
    "customer_id": (f"c-{FOREIGN}", "c-shared"),
    "message_id": (f"m-{FOREIGN}-1",),
    "job_id": (f"job_{FOREIGN}",),
    "delivery_id": (FOREIGN,),  # set from the database
    "key": (f"{SECRET} team",),
    "name": (f"{FOREIGN}.jsonl",),
    "version": ("0.0.1",),
    "token": ("a.b",),
    "into": (f"thm_{FOREIGN}",),
    "intent_id": ("gift_wrap",),
}
# Routes where what belongs to several departments may be changed by each of them.
SHARED = ("thm_shared", "c-shared")


@dataclass(frozen=True, kw_only=True)
class Place:
    client: TestClient
    service: Service
    own: str  # token of the viewer of OWN, with every scope
    boss: str  # token of somebody who sees all
    values: Values


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("departments")
    write_bundle(folder / "models" / "small")
    pointer = {"name": "tests", "version": "0.0.1", "path": "small"}
    (folder / "models" / "accepted.json").write_text(json.dumps(pointer), encoding="utf-8")
    settings = Settings(
        models=folder / "models",
        database=f"sqlite:///{folder / 'service.db'}",
        jobs_folder=folder / "jobs",
        relabel_folder=folder,
        encryption_key=base64.b64encode(b"k" * 32).decode(),
        delivery=False,
    )
    app = create_app(settings)
    with TestClient(app, base_url="http://127.0.0.1", follow_redirects=False) as client:
        service: Service = app.state.service
        delivery_id = seed(service, folder)
        tokens = [
            service.keys.create(name=name, scopes=set(Scope), departments=departments, by="tests")[1]
            for name, departments in (("viewer", {OWN}), ("boss", None))
        ]
        values = Values({**PARAMETERS, "delivery_id": (delivery_id,)})
        yield Place(client=client, service=service, own=tokens[0], boss=tokens[1], values=values)


def seed(service: Service, folder: Path) -> str:
    """Store messages, themes, a subscription, a delivery and a job of another department; returns the delivery's id."""
    at = datetime.now(UTC) - timedelta(hours=1)
    _messages(service, at)
    shared = replace(theme("Parcels", departments=(OWN, OTHER)), id="thm_shared")
    for made in (replace(theme(f"{SECRET} title", departments=(OTHER,)), id=f"thm_{FOREIGN}"), shared):
        _theme(service, _with_words(made), at)
    delivery = service.delivery
    assert delivery is not None
    delivery.subscribe.create(
        name=f"{SECRET} team",
        channel="webhook",
        target=Target(url=f"https://{SECRET}.example/hook"),
        wanted=Filter(departments=(OTHER,)),
        by="tests",
    )
    event = service.themes.events(theme_id=f"thm_{FOREIGN}")[0]
    service.database.transaction(lambda connection: enqueue(connection, replace(event, id="evt_again"), at=at))
    _job(service, folder, at)
    return delivery.log.page().deliveries[0].id


def _messages(service: Service, at: datetime) -> None:
    rows = []
    for number in range(4):
        given = {"customer_id": f"c-{FOREIGN}" if number < 2 else "c-shared", "channel": "app", "sent_at": at}
        text = f"{SECRET} words {number}"
        foreign = message(f"m-{FOREIGN}-{number}", text, region=SECRET, product=SECRET, **given)
        rows.append((foreign, labelling(foreign.id, text=text, department=OTHER, needs_human=("low_confidence",))))
        own = message(f"m-own-{number}", f"own words {number}", customer_id="c-shared", channel="app", sent_at=at)
        rows.append((own, labelling(own.id, text=own.text, department=OWN, needs_human=("low_confidence",))))
    service.messages.save(rows).result(30)


def _with_words(made: Theme) -> Theme:
    quotes = (
        Quote(message_id=f"m-{FOREIGN}-1", text=f"{SECRET} words 1"),
        Quote(message_id="m-own-1", text="own words"),
    )
    part = SubTheme(title="part", phrases=("part",), quotes=quotes, messages=3, centroid=(1.0,) * HIDDEN)
    assert made.measure is not None
    measure = replace(made.measure, floods=(Flood(text=f"{SECRET} flood", messages=9, customers=1),))
    return replace(made, name=replace(made.name, quotes=quotes), parts=(part, part), measure=measure)


def _theme(service: Service, made: Theme, at: datetime) -> None:
    """Store a theme that every message of the served model falls into, with an event and two members."""
    centre = np.full(HIDDEN, HIDDEN**-0.5, dtype=np.float32)
    anchor = Anchor(
        theme_id=made.id, model=ModelIdentity(name="tests", version="0.0.1"), centroid=centre, threshold=-1.0
    )
    service.themes.add(made, [anchor], [Change(theme_id=made.id, kind="new", reason="found", at=at)])
    if made.id == "thm_shared":
        members = [
            {"message_id": key, "theme_id": made.id, "similarity": 0.9, "occurred_at": at}
            for key in (f"m-{FOREIGN}-1", "m-own-1")
        ]
        service.database.transaction(lambda connection: connection.execute(_replace(), members) and None)


def _replace() -> object:
    return insert(theme_members).prefix_with("OR REPLACE", dialect="sqlite")


def _job(service: Service, folder: Path, at: datetime) -> None:
    key = f"job_{FOREIGN}"
    service.jobs.submit("archive", {"inputs": [f"{SECRET}.jsonl"]}, by="key other", at=at, job_id=key)
    service.jobs.claim("tests", ["archive"], at=at, lease=timedelta(minutes=1))
    result = {"files": [f"{FOREIGN}.jsonl"], "note": SECRET}
    service.jobs.finish(key, "tests", "done", progress=JobProgress(), at=at, result=result)
    for output in (folder / "jobs" / key, folder / "jobs" / key / "output"):
        output.mkdir(parents=True, exist_ok=True)
        (output / f"{FOREIGN}.jsonl").write_text(SECRET, encoding="utf-8")


def ask(place: Place, call: Call, token: str) -> httpx.Response:
    headers = {"Cookie": f"{COOKIE}={token}"} if call.page else {"Authorization": f"Bearer {token}"}
    return place.client.request(
        call.method, call.path, params=call.query, json=call.json, data=call.form, files=call.files, headers=headers
    )


def calls(place: Place) -> list[Call]:
    found = [*api_calls(place.client.app.openapi(), place.values), *page_calls(place.client.app, place.values)]  # type: ignore[attr-defined]
    widened = [replace(call, query={"all": "true", "limit": "500"}) for call in found if call.method == "GET"]
    foreign = [replace(call, query={"department": OTHER}) for call in found if call.method == "GET"]
    return [*widened, *foreign, *sorted(found, key=lambda call: call.method == "DELETE")]


def test_no_route_gives_anything_of_another_department(place: Place) -> None:
    state = facts(place)
    leaks, faults, changed = [], [], []
    for call in calls(place):
        response = ask(place, call, place.own)
        told = f"{response.text} {response.headers}"
        said = f"{call.method} {call.path} {dict(call.query)}: {response.status_code}"
        if (SECRET in told and SECRET not in call.sent) or (FOREIGN in told and FOREIGN not in call.sent):
            leaks.append(f"{said} {told[max(0, told.find(SECRET) - 80) :][:200]}")
        if response.status_code >= 500:
            faults.append(said)
        names_foreign = any(mark in call.path for mark in (FOREIGN, SECRET))
        if names_foreign and response.status_code < 400 and response.status_code != 303:
            changed.append(said)
    assert leaks == []
    assert faults == []
    assert changed == []
    assert facts(place) == state


def test_the_marks_are_there_to_be_found(place: Place) -> None:
    """Somebody who sees all meets the marks on many routes: the test above is not blind."""
    marked = set()
    for call in calls(place):
        if call.method == "GET" and SECRET in ask(place, call, place.boss).text:
            marked.add(call.route)
    assert marked >= {
        "/themes", "/themes/{theme_id}", "/themes/{theme_id}/quotes", "/themes/events", "/themes/report",
        "/customers/{customer_id}/export", "/subscriptions", "/subscriptions/{key}", "/deliveries",
        "/deliveries/{delivery_id}", "/jobs", "/jobs/{job_id}", "/audit",
        "/ui/themes", "/ui/themes/{theme_id}", "/ui/deliveries", "/ui/jobs/{job_id}",
    }  # fmt: skip


def test_a_message_matched_to_themes_names_only_those_that_concern_the_caller(place: Place) -> None:
    place.service.classify.themes.refresh()  # type: ignore[union-attr]
    body = {"text": "hello parcel", "customer_id": "c-shared"}

    def themes_of(token: str) -> set[str]:
        answer = place.client.post("/classify", json=body, headers={"Authorization": f"Bearer {token}"}).json()
        return {entry["id"] for entry in answer["themes"]}

    assert themes_of(place.own) <= {"thm_shared"}
    assert themes_of(place.boss) <= {"thm_shared", f"thm_{FOREIGN}"}


def facts(place: Place) -> object:
    """What the other department has."""
    service = place.service
    assert service.delivery is not None
    return (
        service.themes.get(f"thm_{FOREIGN}"),
        service.messages.get(f"m-{FOREIGN}-1").message,
        service.delivery.subscriptions.all(),
        service.jobs.get(f"job_{FOREIGN}"),
        service.classify.policy().text,
        service.model.identity,
    )


def test_every_reference_of_the_document_resolves(place: Place) -> None:
    document = place.client.get("/openapi.json", headers={"Authorization": f"Bearer {place.boss}"}).json()
    named = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert named == set(document["components"]["schemas"]) & named
