"""Lay the wordings over eight weeks: messages, transcripts and what was planted in them.

python corpora/demo/make.py            writes messages.jsonl, transcripts.jsonl and story.json beside this file
python corpora/demo/make.py --check    says whether they are what the wordings and the seed give

The wordings are in ``wordings/``, written by hand; a choice between alternatives is drawn, never a word order.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SEED = 20260302
START = datetime(2026, 3, 2, tzinfo=timezone(timedelta(hours=8)))
WEEKS = 8
MESSAGES_A_DAY = 58
CONVERSATIONS = 132
FAULT_WEEK = 5  # from this week on the batch is in people's kitchens
FIXED_DAY = 38  # in the sixth week the new app is out
MOST_COPIES = 1  # of one text, small talk aside, while another wording can be found

# short form -> name, what people call it, price in yuan
PRODUCTS: Mapping[str, tuple[str, tuple[str, ...], int]] = {
    "w": ("洗烘一体机 W7", ("洗烘一体机", "洗烘机", "洗衣机"), 3999),
    "s": ("扫地机器人 S3", ("扫地机器人", "扫地机"), 2299),
    "r": ("电饭煲 R5", ("电饭煲", "电饭锅"), 399),
    "k": ("空气炸锅 K5", ("空气炸锅", "炸锅"), 299),
    "b": ("破壁机 B2", ("破壁机",), 459),
    "h": ("加湿器 H1", ("加湿器",), 199),
    "j": ("净水器 J6", ("净水器",), 1899),
}
ENGLISH = {"w": "washer dryer", "s": "robot vacuum", "k": "air fryer", "b": "blender"}
REGIONS = {"华东": 30, "华南": 20, "华北": 19, "西南": 14, "华中": 11, "东北": 6}
CHANNELS = {"wechat": 38, "app": 26, "tmall": 20, "email": 6, "phone": 10}
OPENERS = ("你好，", "您好，", "客服你好，", "亲，", "在吗，", "请问，", "喂，", "那个，", "想问一下，")
CLOSERS = ("，谢谢", "，麻烦了", "！", "！！", "。", "。", "…", "…")

# Parts of the feedback, by matter; what is planted first.
EVERYDAY = {
    "refund_status": 40,
    "invoice": 22,
    "coupon": 32,
    "gift_missing": 16,
    "part_missing": 20,
    "wrong_item": 16,
    "install_visit": 40,
    "tracking": 58,
    "address": 22,
    "cancel": 20,
    "return_ask": 32,
    "price_drop": 26,
    "noise": 22,
    "leak": 18,
    "no_heat": 8,
    "robot_clean": 26,
    "filter_buy": 28,
    "warranty": 26,
    "repair_slow": 20,
    "recommend": 32,
    "spec": 42,
    "usage": 32,
    "stock": 14,
    "member": 18,
    "pay_fail": 18,
    "service_bad": 22,
    "escalate": 9,
    "suggest": 24,
    "praise": 80,
    "question": 22,
}
ABROAD = {"en": 60, "ja": 20, "es": 20, "vi": 16}  # of a thousand messages
SMALL_TALK = 0.13
MANUAL = 0.155
COURIER = {"西南": 0.30}
COURIER_ELSEWHERE = 0.02
BATCH = 0.075
PAIRING, PAIRING_LATER = 0.07, 0.008
TOLD = {
    "manual": ("说明书看不懂", "the manual is unclear, everywhere and in all eight weeks"),
    "courier": ("西南的快递慢", "the courier of one region (西南) is slow"),
    "batch": ("电饭煲 R5 一个批次的内胆涂层脱落", "a batch of the rice cooker R5 loses its coating, from week 5 on"),
    "pairing": ("扫地机器人配网失败", "the robot cannot be paired; a new app of week 6 mends it"),
}

_CHOICE = re.compile(r"\[([^\[\]]*)\]")
_HEADER = re.compile(r"^## (?P<name>[^|]+)\|(?P<rest>.*)$")


@dataclass(frozen=True)
class Wordings:
    lines: tuple[str, ...]
    products: tuple[str, ...]


@dataclass
class Customer:
    id: str
    region: str
    tier: str | None


@dataclass
class Drawer:
    """Draws texts; the same seed gives the same."""

    chance: random.Random
    used: Counter[str] = field(default_factory=Counter)

    def text(self, wordings: Wordings, called: str, *, plain: bool = False, most: int = MOST_COPIES) -> str:
        for _ in range(60):
            text = self._spell(self.chance.choice(wordings.lines), called)
            text = text if plain else self._dress(text)
            if self.used[text] < most:
                break
        self.used[text] += 1
        return text

    def _spell(self, line: str, called: str) -> str:
        return _CHOICE.sub(lambda match: self.chance.choice(match[1].split("|")), line).replace("{p}", called)

    def _dress(self, text: str) -> str:
        """Say it as people do: with a greeting, without marks, with a sigh at the end."""
        if self.chance.random() < 0.16:
            text = self.chance.choice(OPENERS) + text
        if self.chance.random() < 0.22 and text[-1] not in "？?！!":
            text += self.chance.choice(CLOSERS)
        if self.chance.random() < 0.22:
            text = text.replace("，", " ")
        if self.chance.random() < 0.05:
            text = text.replace("说明书", "説明书", 1) if self.chance.random() < 0.1 else text.replace("的", "得", 1)
        return text


def read(name: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield (head, rest of the head, lines) of each section of a file of wordings."""
    head, rest, lines = "", "", []
    for line in [*(HERE / "wordings" / name).read_text(encoding="utf-8").splitlines(), "## end|"]:
        found = _HEADER.match(line)
        if found:
            if head:
                yield head, rest, tuple(lines)
            head, rest, lines = found["name"].strip(), found["rest"].strip(), []
        elif line.strip() and not line.startswith("#"):
            lines.append(line.strip())


class World:
    """Everybody and everything that is said."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.drawer = Drawer(self.chance)
        self.matters = {
            head: Wordings(lines, tuple(rest.split()))
            for name in ("planted.md", "everyday.md")
            for head, rest, lines in read(name)
        }
        self.abroad = [
            (*head.split(), Wordings(lines, tuple(rest.split()))) for head, rest, lines in read("languages.md")
        ]
        self.turns = {(head, rest): lines for head, rest, lines in read("turns.md")}
        self.customers = [self._customer(number) for number in range(2100)]
        self.planted: dict[str, list[str]] = {matter: [] for matter in TOLD}

    def _customer(self, number: int) -> Customer:
        region = self.chance.choices(list(REGIONS), weights=list(REGIONS.values()))[0]
        tier = self.chance.choices(("vip", "gold", None), weights=(7, 15, 78))[0]
        return Customer(id=f"hy-c{number:04}", region=region, tier=tier)

    def messages(self) -> Iterator[dict[str, Any]]:
        number = 0
        for day in range(WEEKS * 7):
            busy = 0.8 if day % 7 >= 5 else 1.08
            for at in sorted(
                self._moment(day) for _ in range(round(MESSAGES_A_DAY * busy * self.chance.uniform(0.88, 1.12)))
            ):
                number += 1
                yield self._message(f"hy-{number:05}", at, day)

    def _moment(self, day: int) -> datetime:
        hour = min(max(self.chance.gauss(14.5, 4.2), 0.2), 23.8)
        return START + timedelta(days=day, hours=hour, seconds=self.chance.randrange(60))

    def _message(self, id: str, at: datetime, day: int) -> dict[str, Any]:
        customer = self.chance.choice(self.customers)
        if self.chance.random() < sum(ABROAD.values()) / 1000:
            return self._foreign(id, at, customer)
        matter = self._matter(day, customer.region)
        wordings = self.matters[matter]
        key = self.chance.choice(wordings.products)
        called = self.chance.choice(PRODUCTS[key][1])
        talk = matter == "smalltalk"
        text = self.drawer.text(wordings, called, plain=talk, most=1_000 if talk else MOST_COPIES)
        if matter in self.planted:
            self.planted[matter].append(id)
        channel = "tmall" if matter == "praise" and self.chance.random() < 0.6 else self._channel()
        return self._row(id, text, at, channel, customer, None if talk else key)

    def _foreign(self, id: str, at: datetime, customer: Customer) -> dict[str, Any]:
        language = self.chance.choices(list(ABROAD), weights=list(ABROAD.values()))[0]
        offered = [entry for entry in self.abroad if entry[1] == language]
        matter, _, wordings = self.chance.choices(offered, weights=[len(entry[2].lines) for entry in offered])[0]
        key = self.chance.choice(wordings.products)
        text = self.drawer.text(wordings, ENGLISH.get(key, "machine"), plain=True, most=4)
        if matter in self.planted:
            self.planted[matter].append(id)
        abroad = Customer(id=f"{customer.id}x", region="海外", tier=None)
        return self._row(id, text, at, self.chance.choice(("email", "app")), abroad, key)

    def _row(
        self, id: str, text: str, at: datetime, channel: str, customer: Customer, key: str | None
    ) -> dict[str, Any]:
        row: dict[str, Any] = {"id": id, "text": text, "channel": channel, "customer_id": customer.id}
        row |= {"customer_tier": customer.tier} if customer.tier else {}
        row |= {"region": customer.region}
        if key is not None and self.chance.random() < 0.85:
            row["product"] = PRODUCTS[key][0]
            if self.chance.random() < 0.5:
                row["amount"] = PRODUCTS[key][2]
        return row | {"sent_at": at.isoformat(timespec="seconds")}

    def _channel(self) -> str:
        return self.chance.choices(list(CHANNELS), weights=list(CHANNELS.values()))[0]

    def _matter(self, day: int, region: str) -> str:
        if self.chance.random() < SMALL_TALK:
            return "smalltalk"
        week = day // 7 + 1
        planted = {
            "manual": MANUAL,
            "courier": COURIER.get(region, COURIER_ELSEWHERE),
            "batch": BATCH if week >= FAULT_WEEK else 0.0,
            "pairing": PAIRING if day < FIXED_DAY else PAIRING_LATER,
        }
        rest = 1 - sum(planted.values())
        whole = sum(EVERYDAY.values())
        weights = planted | {matter: rest * part / whole for matter, part in EVERYDAY.items()}
        return self.chance.choices(list(weights), weights=list(weights.values()))[0]

    def conversations(self) -> Iterator[dict[str, Any]]:
        told = sorted({head for head, _ in self.turns} - {"any"})
        days = sorted(self.chance.randrange(WEEKS * 7) for _ in range(CONVERSATIONS))
        for number, day in enumerate(days, 1):
            customer = self.chance.choice(self.customers)
            matter = self._matter(day, customer.region)
            while matter not in told:
                matter = self._matter(day, customer.region)
            key = self.chance.choice(self.matters[matter].products)
            name = f"hy-t{number:03}"
            turns = list(self._turns(matter, key))
            if matter in self.planted:
                opening = next(place for place, turn in enumerate(turns, 1) if turn.get("opens"))
                self.planted[matter].append(f"{name}-{opening}")
            yield {
                "conversation_id": name,
                "time": f"{self._moment(day):%Y-%m-%d %H:%M}",
                "channel": self.chance.choice(("phone", "phone", "app", "wechat")),
                "customer_id": customer.id,
                "region": customer.region,
                "product": PRODUCTS[key][0],
                "turns": [{"speaker": turn["speaker"], "text": turn["text"]} for turn in turns],
            }

    def _turns(self, matter: str, key: str) -> Iterator[dict[str, Any]]:
        pick = self.chance.choice
        if self.chance.random() < 0.5:
            yield {"speaker": "customer", "text": pick(("在吗", "你好", "喂你好", "有人吗"))}
        yield {"speaker": "agent", "text": pick(self.turns["any", "greet"])}
        opening = self.drawer.text(self.matters[matter], pick(PRODUCTS[key][1]))
        yield {"speaker": "customer", "text": opening, "opens": True}
        answers, follows = list(self.turns[matter, "agent"]), list(self.turns[matter, "follow"])
        self.chance.shuffle(answers)
        self.chance.shuffle(follows)
        for answer, follow in list(zip(answers, follows, strict=False))[: pick((1, 1, 2))]:
            yield {"speaker": "agent", "text": answer}
            yield {"speaker": "customer", "text": follow}
        yield {"speaker": "agent", "text": pick(self.turns["any", "close"])}
        if self.chance.random() < 0.6:
            yield {"speaker": "customer", "text": pick(self.turns["any", "thanks"])}


def build(seed: int = SEED) -> dict[str, str]:
    """Return the files by name."""
    world = World(seed)
    messages, conversations = list(world.messages()), list(world.conversations())
    matters = {matter: {"zh": zh, "en": en, "messages": world.planted[matter]} for matter, (zh, en) in TOLD.items()}
    story = {
        "brand": "禾屿",
        "start": START.isoformat(),
        "days": WEEKS * 7,
        "small_talk": SMALL_TALK,
        "fix": {"matter": "pairing", "day": FIXED_DAY, "by": "app team", "what": "App 3.2"},
        "fault": {"matter": "batch", "day": (FAULT_WEEK - 1) * 7},
        "matters": matters,
    }
    return {
        "messages.jsonl": _lines(messages),
        "transcripts.jsonl": _lines(conversations),
        "story.json": json.dumps(story, ensure_ascii=False, separators=(",", ":")) + "\n",
    }


def _lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for name, text in build().items():
        path = HERE / name
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            sys.exit(f"{path} is not what make.py gives: run python {Path(__file__).name}")
        if not check:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
