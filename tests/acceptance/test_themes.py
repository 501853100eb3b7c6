"""The planted story through the HTTP API with the real model: found, counted, told, fixed, and the fix judged."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from nlp_service.adapters.themes_index import REFRESH
from nlp_service.settings import Settings
from nlp_service.web.app import create_app

MODELS = Path(__file__).parent.parent.parent / "models"
NOW = datetime.now(UTC)
MANUAL = (
    "说明书根本看不懂",
    "这个说明书写得太乱了，看不懂",
    "看了半天说明书还是没看懂怎么装",
    "产品说明书字太小，步骤也看不明白",
    "附带的说明书完全看不懂",
    "使用手册看不懂，能不能写清楚点",
    "说明书上的图看不懂",
    "说明书翻译得莫名其妙，看不懂",
)
CRASH = (
    "APP一打开就闪退",
    "你们的APP老是闪退",
    "更新后的APP点进去马上闪退",
    "付款的时候APP闪退了",
    "手机APP闪退好多次了",
    "最新版APP闪退根本用不了",
)
OTHERS = (
    "我的快递到哪里了",
    "什么时候能发货",
    "怎么申请退货",
    "退款几天能到账",
    "发票抬头开错了能重开吗",
    "这款有黑色的吗",
    "尺码偏大还是偏小",
    "保修期是多久",
    "可以分期付款吗",
    "优惠券怎么用不了",
    "忘记密码了怎么登录",
    "会员积分什么时候过期",
    "想换个大一号的",
    "地址填错了帮我改一下",
    "订单能取消吗",
    "两件一起买有优惠吗",
    "安装师傅什么时候上门",
    "屏幕有一道划痕",
    "收到的颜色和图片不一样",
    "少发了一个配件",
    "话费怎么多扣了二十块",
    "套餐怎么改成便宜的",
    "账户被冻结了怎么解冻",
    "降价了能退差价吗",
    "质量很好，下次还来",
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    if not (MODELS / "accepted.json").is_file():
        pytest.skip(f"no trained bundle in {MODELS}: run `make train` first")
    database = tmp_path_factory.mktemp("themes") / "service.db"
    settings = Settings(models=MODELS, database=f"sqlite:///{database}", sessions=1)
    with TestClient(create_app(settings)) as opened:
        send(opened, story(random.Random(7)))
        yield opened


def story(draw: random.Random) -> list[dict[str, Any]]:
    """Five weeks: the manual a fifth of all, the crash a quarter until it was fixed a fortnight ago."""
    messages = []
    for day in range(35):
        crash = 0.25 if day < 21 else 0.07
        for _ in range(24):
            pick = draw.random()
            texts = MANUAL if pick < 0.2 else CRASH if pick < 0.2 + crash else OTHERS
            at = NOW - timedelta(days=35 - day) + timedelta(seconds=draw.randrange(86_000))
            number = len(messages)
            messages.append(
                {
                    "id": f"m-{number}",
                    "text": draw.choice(texts),
                    "customer_id": f"c-{number}",
                    "region": draw.choice(("华东", "华南", "华北")),
                    "sent_at": at.isoformat(),
                }
            )
    return messages


def send(client: TestClient, messages: list[dict[str, Any]]) -> None:
    for start in range(0, len(messages), 100):
        answer = client.post("/classify", json={"messages": messages[start : start + 100]})
        assert answer.status_code == 200, answer.text


def mine(client: TestClient) -> dict[str, Any]:
    """Mine as a job, wait for its end and until the running service knows the themes."""
    job = client.post("/themes/mine").json()
    end = time.monotonic() + 120
    while job["state"] not in ("done", "failed"):
        assert time.monotonic() < end, job
        time.sleep(0.2)
        job = client.get(f"/jobs/{job['id']}").json()
    assert job["state"] == "done", job["error"]
    time.sleep(REFRESH + 1)
    result: dict[str, Any] = job["result"]
    return result


def found(client: TestClient, word: str) -> dict[str, Any]:
    themes = client.get("/themes", params={"all": True}).json()
    named = [theme for theme in themes if word in theme["title"]]
    assert named, [theme["title"] for theme in themes]
    return named[0]


def test_the_planted_story(client: TestClient) -> None:
    mined = mine(client)
    assert mined["messages"] == len(story(random.Random(7)))

    manual = found(client, "说明书")
    share = manual["measure"]["share"]
    week = [entry for entry in story(random.Random(7)) if entry["sent_at"] >= (NOW - timedelta(days=7)).isoformat()]
    of_matter = len(week) * mined["matter"] / mined["messages"]  # messages without a matter are no feedback
    planted = sum(entry["text"] in MANUAL for entry in week) / of_matter
    assert share["low"] - 0.03 <= planted <= share["high"] + 0.03
    assert len(manual["name"]["quotes"]) == 3
    assert any("new" in event for event in mined["events"])

    answer = client.post("/classify", json={"id": "now", "text": "说明书看不懂啊", "customer_id": "c-now"}).json()
    assert answer["themes"][0]["id"] == manual["id"]
    assert found(client, "说明书")["live_messages"] == manual["live_messages"] + 1
    quotes = client.get(f"/themes/{manual['id']}/quotes").json()
    assert "now" in {quote["message_id"] for quote in quotes}


def test_decisions_and_the_judgement_of_a_fix(client: TestClient) -> None:
    crash = found(client, "闪退")["id"]
    fixed_at = (NOW - timedelta(days=14)).isoformat()
    assert client.post(f"/themes/{crash}/acknowledge", json={"by": "wang"}).json()["acknowledged_by"] == "wang"
    fixed = client.post(f"/themes/{crash}/fix", json={"what": "2.3.1", "at": fixed_at}).json()
    assert fixed["state"] == "fixed"
    mine(client)
    kinds = [event["kind"] for event in client.get(f"/themes/{crash}/events").json()]
    assert "fix_worked" in kinds
    assert client.get(f"/themes/{crash}").json()["fix"]["verdict"] == "worked"


def test_the_digest_and_errors(client: TestClient) -> None:
    page = client.get("/themes/report", params={"format": "html"}).text
    assert "说明书" in page
    assert "<svg" in page
    assert "说明书" in client.get("/themes/report", params={"format": "markdown"}).text
    assert client.get("/themes/report").json()["top"]
    missing = client.get("/themes/thm_none")
    assert missing.status_code == 404
    assert "thm_none" in missing.json()["detail"]
    manual = found(client, "说明书")["id"]
    assert client.post(f"/themes/{manual}/merge", json={"into": manual}).status_code == 409
    assert client.post(f"/themes/{manual}/rename", json={"title": ""}).status_code == 422
