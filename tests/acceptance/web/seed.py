"""Fill a running service with varied messages through its API, to look at the pages with.

python -m tests.acceptance.web.seed http://127.0.0.1:8080 --count 400 [--file corpus.jsonl]
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx

TEMPLATES = (
    "都催了三次了，{thing}的快递到现在一动不动，你们到底管不管？",
    "{thing}说明书看不懂，怎么安装？",
    "刚买的{thing}用了两天就坏了，太失望了",
    "请问{thing}还有货吗？什么时候到？",
    "退款什么时候到账啊，{thing}上周就寄回去了",
    "{thing}很好用，师傅态度也好，谢谢！",
    "再不解决我就打12315投诉了，{thing}都报修三回了",
    "能不能开{thing}的发票？抬头是公司",
    "优惠券用不了，{thing}结算的时候没减",
    "你好",
    "转人工",
    "{thing}冒烟了！差点着火，这也太危险了吧",
    "Where is my {thing}? It should have arrived on Monday.",
    "The {thing} stopped working after one week, I want my money back.",
    "How do I connect the {thing} to the app?",
    "Thank you, the {thing} is great.",
    "建议{thing}的App加个定时功能",
    "别人{thing}都比我便宜一百，能补差价吗",
)
THINGS = ("破壁机", "空调", "扫地机器人", "净水器", "手机", "耳机", "blender", "vacuum", "kettle")
CHANNELS = ("wechat", "app", "phone", "taobao", "email")
BATCH = 50


def messages(count: int, *, now: datetime, seed: int = 7) -> Iterator[dict[str, object]]:
    """Yield messages of the last 56 days, more of them in working hours and of late."""
    chance = random.Random(seed)
    for number in range(count):
        age = chance.betavariate(1, 1.6) * 56
        hour = min(max(chance.gauss(14, 4), 0), 23.9)
        day = (now - timedelta(days=age)).replace(hour=0, minute=0, second=0, microsecond=0)
        yield {
            "id": f"seed-{seed}-{number}",
            "text": chance.choice(TEMPLATES).format(thing=chance.choice(THINGS)),
            "channel": chance.choices(CHANNELS, weights=(5, 4, 2, 3, 1))[0],
            "customer_id": f"c-{chance.randrange(count // 2)}",
            "customer_tier": chance.choices(("vip", None), weights=(1, 9))[0],
            "amount": chance.choice((39, 199, 899, 2499, None)),
            "sent_at": min(day + timedelta(hours=hour - 8), now).isoformat(),
        }


def from_file(path: Path, count: int, *, now: datetime) -> Iterator[dict[str, object]]:
    """Yield messages with the texts of a corpus file, one JSON object with ``text`` a line."""
    lines = path.read_text(encoding="utf-8").splitlines()
    random.Random(3).shuffle(lines)
    for message, line in zip(messages(min(count, len(lines)), now=now, seed=11), lines, strict=False):
        yield {**message, "text": json.loads(line)["text"]}


def send(url: str, given: Iterator[dict[str, object]], *, key: str | None = None) -> int:
    """Classify the messages; returns how many were answered."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    batch = list(given)
    with httpx.Client(base_url=url, headers=headers, timeout=120) as client:
        for start in range(0, len(batch), BATCH):
            client.post("/classify", json={"messages": batch[start : start + BATCH]}).raise_for_status()
    return len(batch)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url")
    parser.add_argument("--count", type=int, default=400)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--key")
    given = parser.parse_args()
    now = datetime.now(UTC)
    texts = from_file(given.file, given.count, now=now) if given.file else messages(given.count, now=now)
    print(send(given.url, texts, key=given.key), "messages sent")  # noqa: T201


if __name__ == "__main__":
    main()
